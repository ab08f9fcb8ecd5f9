/* cmd_info.c - `loopscope info [FILE]`: what a trace is, on one screen. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "viewer/human.h"
#include "viewer/query_info.h"

/* What a table of rows keeps between two calls. */
struct listing {
    int column;
};

/* "key         value", cleaned of what a terminal would obey; nothing when there is no value. */
static void line(const char *key, const char *value)
{
    char clean[4096];

    if (!value || !*value)
        return;
    human_clean(value, clean, sizeof clean);
    printf("%-11s %s\n", key, clean);
}

static void meta_line(struct trace *t, const char *key, const char *label)
{
    char *value = query_meta(t, key);

    line(label, value);
    free(value);
}

/* An integer fact; `otherwise` when there is none. */
static int64_t meta_int(struct trace *t, const char *key, int64_t otherwise)
{
    char *value = query_meta(t, key), *end = NULL;
    int64_t n = value ? strtoll(value, &end, 10) : otherwise;

    if (value && (end == value || *end))
        n = otherwise;
    free(value);
    return n;
}

static void put_size(int64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double n = (double)bytes / 1024;
    int unit = 0;

    for (; n >= 1024 && unit < 3; unit++)
        n /= 1024;
    printf("%.*f %s", n < 10 ? 1 : 0, n, units[unit]);
}

static void put_when(const struct trace_facts *f)
{
    time_t start = (time_t)(f->start / 1000000000);
    struct tm local;
    char text[64];

    printf("%-11s ", "recorded");
    if (f->start > 0 && localtime_r(&start, &local) && strftime(text, sizeof text, "%F %T %z", &local))
        printf("%s, ", text);
    printf("%s long\n", human_duration(f->duration).s);
}

static void put_machine(struct trace *t)
{
    char *host = query_meta(t, "host"), *kernel = query_meta(t, "kernel"), *clock = query_meta(t, "clock");
    int64_t cpus = meta_int(t, "cpus", 0);
    char text[1024];

    snprintf(text, sizeof text, "%s%s%s%s%s", host ? host : "", host && kernel ? ", " : "", kernel ? kernel : "",
             clock ? ", clock " : "", clock ? clock : "");
    if (cpus > 0)
        snprintf(text + strlen(text), sizeof text - strlen(text), ", %s", human_plural(cpus, "CPU", "CPUs").s);
    line("machine", text);
    free(host);
    free(kernel);
    free(clock);
}

static void put_end(struct trace *t)
{
    int64_t status = meta_int(t, "exit_status", -1), killed = meta_int(t, "exit_signal", 0);

    if (killed > 0)
        printf("%-11s killed by signal %" PRId64 " (%s)\n", "ended", killed, strsignal((int)killed));
    else if (status >= 0)
        printf("%-11s with exit status %" PRId64 "\n", "ended", status);
}

static void put_recorder(struct trace *t, const struct trace_facts *f)
{
    int64_t cpu = meta_int(t, "recorder_cpu_ns", -1);

    if (cpu < 0)
        return;
    printf("%-11s %s of CPU", "recorder", human_duration(cpu).s);
    if (f->duration > 0)
        printf(", %.1f %% of one core", 100.0 * (double)cpu / (double)f->duration);
    putchar('\n');
}

static void put_table(void *ctx, const char *name, int64_t rows)
{
    struct listing *list = ctx;
    char clean[64], text[128];

    if (rows == 0)
        return;
    human_clean(name, clean, sizeof clean);
    snprintf(text, sizeof text, "%s %s", clean, rows < 0 ? "(damaged)" : human_count(rows).s);
    printf("%s%-20s", list->column % 4 ? " " : list->column ? "\n            " : "", text);
    list->column++;
}

static void put_rows(struct trace *t)
{
    struct listing list = { 0 };

    printf("%-11s ", "rows");
    query_tables(t, put_table, &list);
    putchar('\n');
}

static const char *state_of(const struct trace_facts *f)
{
    if (f->finalized)
        return "finished";
    return f->being_written ? "still being written"
                            : "not finished: its recorder was killed; `loopscope repair` ends it";
}

static int run(const void *values, int argc, char **argv)
{
    const char *path = argc ? argv[0] : "loopscope.db";
    struct trace *t;
    struct trace_facts f;
    char error[512];
    int64_t threshold, call_min;
    (void)values;

    if (trace_open(path, TRACE_AS_IS, &t, error, sizeof error) < 0)
        return complain(2, "info: %s", error);
    if (query_facts(t, &f, error, sizeof error) < 0) {
        trace_close(t);
        return complain(2, "info: %s", error);
    }
    line("file", path);
    printf("%-11s loopscope format %d, ", "trace", TRACE_FORMAT);
    put_size(f.bytes);
    printf(", %s\n", state_of(&f));
    meta_line(t, "argv", "command");
    put_when(&f);
    meta_line(t, "version", "by");
    put_machine(t);
    put_end(t);
    threshold = meta_int(t, "threshold_ns", NOT_KNOWN);
    call_min = meta_int(t, "call_min_ns", NOT_KNOWN);
    printf("%-11s stalls from %s, calls from %s\n", "threshold", human_duration(threshold).s,
           human_duration(call_min).s);
    printf("%-11s %s, ", "seen", human_plural(f.processes, "process", "processes").s);
    printf("%s, ", human_plural(f.threads, "thread", "threads").s);
    printf("%s, ", human_plural(f.loops, "loop", "loops").s);
    printf("%s\n", human_plural(f.tasks, "task", "tasks").s);
    printf("%-11s %s, %s lost\n", "events", human_count(meta_int(t, "events", NOT_KNOWN)).s,
           human_count(meta_int(t, "lost", f.rows_lost)).s);
    put_recorder(t, &f);
    put_rows(t);
    trace_close(t);
    return 0;
}

const struct command cmd_info = {
    .name = "info",
    .args = "[FILE]",
    .summary = "what a trace is: command, time, machine, size, rows, what was lost",
    .run = run,
    .max_args = 1,
    .usage_exit = 2,
};

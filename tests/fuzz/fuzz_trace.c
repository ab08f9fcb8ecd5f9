/* fuzz_trace.c - corrupted copies of a trace, each opened and read by everything the report has: no crash, no hang, and
 * either a report or one clear line.
 *
 * usage: fuzz_trace [ROUNDS [FIRST_SEED]]     run it from the root of the repository, best under ASan and UBSan */
#include <signal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "viewer/gate.h"
#include "viewer/report.h"
#include "viewer/tasks.h"
#include "viewer/tree.h"

#define ROUND_SECONDS 20 /* an alarm, for a round that does not end; a sanitizer is slow */

static const char *const seeds[] = { "tests/fixtures/tasks.sql", "tests/fixtures/gaps.sql", "tests/fixtures/redis.sql",
                                     "tests/fixtures/nginx.sql", "tests/fixtures/empty.sql", "tests/fixtures/waits.sql" };
#define SEEDS ((int)(sizeof seeds / sizeof *seeds))

struct image {
    unsigned char *bytes;
    size_t n;
};

static uint64_t now_at; /* the round that runs, for the alarm to name */

static void too_long(int sig)
{
    char line[80];
    int n = snprintf(line, sizeof line, "fuzz_trace: round %llu does not end\n", (unsigned long long)now_at);
    (void)sig;
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        _exit(2);
    _exit(1);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct image load(const char *path)
{
    struct image image = { NULL, 0 };
    FILE *f = fopen(path, "rb");
    if (f && fseek(f, 0, SEEK_END) == 0) {
        image.n = (size_t)ftell(f);
        image.bytes = malloc(image.n);
        rewind(f);
        if (!image.bytes || fread(image.bytes, 1, image.n, f) != image.n)
            image.n = 0;
    }
    if (f)
        fclose(f);
    return image;
}

/* One kind of damage, chosen by the random numbers. */
static void damage(struct image *m, uint64_t *r)
{
    size_t page = 4096, pages = m->n / page;
    int times = 1 + (int)(random_next(r) % 40);
    switch (random_next(r) % 8) {
    case 0: m->n = random_next(r) % m->n; break;
    case 1: memset(m->bytes + random_next(r) % pages * page, 0, page); break;
    case 2:
        memmove(m->bytes + random_next(r) % pages * page, m->bytes + random_next(r) % pages * page, page);
        break;
    case 3: /* a page's header and its cell pointers, where the tree is */
        for (int i = 0; i < times; i++)
            m->bytes[random_next(r) % pages * page + random_next(r) % 64] = (unsigned char)random_next(r);
        break;
    case 4: /* the schema, after the file's header */
        for (int i = 0; i < times; i++)
            m->bytes[100 + random_next(r) % (page - 100)] = (unsigned char)random_next(r);
        break;
    case 5:
        for (int i = 0; i < times; i++)
            m->bytes[random_next(r) % 100] = (unsigned char)random_next(r);
        break;
    default:
        for (int i = 0; i < times; i++)
            m->bytes[random_next(r) % m->n] ^= (unsigned char)(1u << random_next(r) % 8);
    }
}

/* Sound pages with senseless values: what SQLite will not notice. */
static void senseless(const char *path, uint64_t *r)
{
    static const char *const values[] = { "-1", "9223372036854775807", "-9223372036854775808", "NULL", "0",
                                          "'text\x1b[31m\xff'", "1e300", "x'00ff00'", "4611686018427387904" };
    static const char *const columns[] = {
        "stall SET dur", "stall SET t", "stall SET loop", "stall SET stack", "stall SET victims", "stall SET detail",
        "stall SET cause", "stall SET fingerprint", "stall SET iteration", "stack SET parent", "stack SET frame",
        "frame SET function", "frame SET line", "frame SET noise", "iteration SET busy", "iteration SET poll",
        "iteration SET timeout", "iteration SET loop", "iteration SET t", "call SET dur", "call SET name",
        "call SET detail", "task SET queue", "task SET name", "task SET site", "gap SET lost", "gap SET t_end",
        "gap SET reason", "loop SET thread", "loop SET kind", "thread SET process", "process SET exe",
        "process SET pid", "meta SET value", "notice SET text", "notice SET n",
        "task SET why", "task SET target", "task SET since", "task SET state", "task SET t_end", "task SET outcome",
        "task SET observed", "task SET error", "task SET parent", "step SET task", "step SET t", "step SET wait",
        "step SET queue", "step SET why", "step SET target", "hold SET task", "hold SET object", "hold SET t_end",
        "member SET task", "member SET object", "object SET kind", "object SET name", "stall SET allowed", "sample SET stall", "site SET line",
    };
    char sql[800] = "";
    for (int i = 0; i < 4; i++) {
        size_t used = strlen(sql);
        snprintf(sql + used, sizeof sql - used, "UPDATE OR IGNORE %s = %s WHERE abs(random() %% 4) < 2;",
                 columns[random_next(r) % (sizeof columns / sizeof *columns)],
                 values[random_next(r) % (sizeof values / sizeof *values)]);
    }
    if (random_next(r) % 4 == 0)
        strcat(sql, "UPDATE OR IGNORE stack SET parent = 1 + abs(random() % 12);");
    fixture_run(path, sql);
}

static int stop(void *left)
{
    return --*(int *)left < 0;
}

/* The views that the public reads, by plain SQLite: the work may be long, but must be stoppable and must not crash. */
static void read_views(const char *path)
{
    sqlite3 *db = NULL;
    int left = 300;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
        sqlite3_progress_handler(db, 1000, stop, &left);
        sqlite3_exec(db, "SELECT * FROM stall_place; SELECT * FROM victim; SELECT * FROM stack_line", NULL, NULL, NULL);
    }
    sqlite3_close(db);
}

static int clear_line(const char *error);

/* `tasks` and `tree`, at some moment. */
static int read_tasks(struct trace *t, FILE *sink, uint64_t *r)
{
    static const char *const states[] = { NULL, "alive", "running", "waiting", "error" };
    struct page page = { sink, 60 + (int)(random_next(r) % 80), false };
    struct task_query q = { .at = random_next(r) % 2 ? NOT_KNOWN : (int64_t)(random_next(r) % 2000000000),
                            .sort = (enum task_sort)(random_next(r) % 5), .state = states[random_next(r) % 5], .limit = 30 };
    struct task_list *list = NULL;
    char error[700] = "";
    int bad = 0;
    if (tasks_load(t, &q, &list, error, sizeof error) != 0)
        return !clear_line(error);
    bad |= tasks_text(&page, t, list, &q) != 0 || tasks_json(sink, t, list) != 0;
    tasks_free(list);
    if (tasks_alive(t, q.at, &list, error, sizeof error) != 0)
        return bad || !clear_line(error);
    struct tree *tree = tree_new(list);
    bad |= !tree || tree_text(&page, t, tree, 1 + (int64_t)(random_next(r) % 300)) != 0 || tree_json(sink, t, tree) != 0;
    tree_free(tree);
    tasks_free(list);
    return bad;
}

static int clear_line(const char *error)
{
    return *error && !strchr(error, '\n');
}

/* 0, or 1 when the reader did not behave. */
static int read_all(const char *path, FILE *sink, uint64_t *r, int *ret_opened)
{
    struct trace *t = NULL;
    struct report_data *d = NULL;
    struct gate *gate = NULL;
    char error[700] = "";
    struct report_range range = { INT64_MIN, INT64_MAX, 100 };
    struct report_options o = { .by = (enum place_by)(random_next(r) % 3), .top = 50, .width = 60 + (int)(random_next(r) % 80),
                                .colour = random_next(r) % 2 };
    if (random_next(r) % 3 == 0) {
        range.from = (int64_t)(random_next(r) % 40000000000);
        range.to = range.from + 1 + (int64_t)(random_next(r) % 40000000000);
    }
    if (trace_open(path, TRACE_FINISHED, &t, error, sizeof error) != 0)
        return !clear_line(error);
    if (report_load(t, &range, &d, error, sizeof error) != 0) {
        trace_close(t);
        return !clear_line(error);
    }
    ++*ret_opened;
    int bad = report_text(sink, t, d, &o) != 0 || report_json(sink, t, d, &o) != 0;
    if (gate_parse("stall>50ms and (busy>90% or iteration.p99>20ms) or call.fsync>0", &gate, error, sizeof error) == 0)
        gate_eval(gate, d);
    gate_free(gate);
    report_free(d);
    bad |= read_tasks(t, sink, r);
    trace_close(t);
    return bad;
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 500, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct image images[SEEDS];
    const char *path = fixture_temp("fuzz.db");
    FILE *sink = fopen("/dev/null", "w");
    int opened = 0;

    for (int i = 0; i < SEEDS; i++) {
        if (fixture_build(seeds[i], path) != 0 ||
            fixture_run(path, "DELETE FROM iteration WHERE id > 150 AND id < 5990; DELETE FROM task WHERE id > 80; VACUUM") != 0)
            return 1;
        images[i] = load(path);
        if (images[i].n == 0)
            return 1;
    }
    signal(SIGALRM, too_long);
    for (now_at = first; now_at < first + rounds; now_at++) {
        uint64_t r = now_at * 0x9e3779b97f4a7c15u + 1;
        const struct image *seed = &images[random_next(&r) % SEEDS];
        struct image copy = { malloc(seed->n), seed->n };
        memcpy(copy.bytes, seed->bytes, seed->n);
        bool sound = random_next(&r) % 4 == 0;
        if (!sound)
            damage(&copy, &r);
        FILE *f = fopen(path, "wb");
        if (!sink || !f || (copy.n && fwrite(copy.bytes, 1, copy.n, f) != copy.n) || fclose(f) != 0) {
            perror("fuzz_trace");
            return 1;
        }
        free(copy.bytes);
        alarm(ROUND_SECONDS);
        if (sound)
            senseless(path, &r);
        if (read_all(path, sink, &r, &opened) != 0) {
            fprintf(stderr, "fuzz_trace: round %llu: no report and no clear line\n", (unsigned long long)now_at);
            return 1;
        }
        read_views(path);
        alarm(0);
    }
    for (int i = 0; i < SEEDS; i++)
        free(images[i].bytes);
    fclose(sink);
    printf("%llu corrupted traces, %d of them could still be read\n", (unsigned long long)rounds, opened);
    return 0;
}

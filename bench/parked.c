/* parked.c - what a task that waits keeps in memory: 100,000 of them, each with its stack and guard page, then 1,000,000.
 *
 * All that is resident counts, control blocks included.  The limit is the one page of stack that a task has touched. */
#include "bench/bench.h"

#include <string.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static long in_status(const char *key)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kb = atol(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return kb;
}
static long maps(void)
{
    long n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static struct ls_event *never;
static intptr_t parked(void *arg)
{
    (void)arg;
    return ls_event_wait(never, LS_NEVER);
}
static intptr_t app(void *arg)
{
    static const long goal[] = { 100000, 1000000 };
    long resident = in_status("VmRSS"), n = 0;
    (void)arg;
    never = ls_event_new("never");
    for (int i = 0; i < 2; i++) {
        uint64_t t = bench_now();
        for (; n < goal[i]; n++) {
            struct ls_task *task = ls_spawn(parked, NULL, NULL);
            if (!task) {
                printf("parked: no more than %ld\n", n);
                return 1;
            }
            ls_detach(task);
            if (n % 1000 == 999)
                ls_yield(); /* they begin, and park */
        }
        ls_yield();
        double each = (double)(in_status("VmRSS") - resident) * 1024 / (double)n;
        char what[64];
        snprintf(what, sizeof what, "%ld parked, bytes each", n);
        bench_row(what, "one page", 4096, each, each / 4096, "<= 1.10 (4.4 KiB)");
        printf("    %ld mappings, %ld MiB of page tables, %.2f us to start and park one\n", maps(),
               in_status("VmPTE") / 1024, (double)(bench_now() - t) / 1000 / (double)(i ? goal[1] - goal[0] : goal[0]));
    }
    fflush(stdout);
    _exit(0); /* their end is not what is measured */
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

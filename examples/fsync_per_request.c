/* fsync_per_request.c - an fsync for each request: the loop waits for the disk.
 *
 * The report: stalls in fsync (and perhaps write), cause `call`.  Cured in fsync_per_request_cured.c. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <loopscope/runtime.h>

/* What a reader sees: a task that wants to run every 10 ms, and how late it came at worst. */
static intptr_t ticker(void *worst)
{
    for (ls_ns next = ls_after(10 * LS_MS); !ls_sleep_until(next); next = ls_after(10 * LS_MS))
        if (ls_now() - next > *(ls_ns *)worst)
            *(ls_ns *)worst = ls_now() - next;
    return 0;
}

/* One request: append a record, and make it safe on the disk. */
static intptr_t store(void *arg)
{
    static char record[1 << 20];
    int fd = open("/var/tmp/loopscope-example.wal", O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < 96; i++) /* enough for an fsync that takes a while on a fast disk, too */
        if (write(fd, record, sizeof record) < 0)
            break;
    fsync(fd);
    close(fd);
    return (intptr_t)arg;
}

static intptr_t app(void *arg)
{
    (void)arg;
    ls_ns worst = 0;
    struct ls_task *tick = ls_spawn(ticker, &worst, NULL);
    for (int i = 0; i < 3; i++) {
        ls_sleep(50 * LS_MS);
        store(NULL);
    }
    ls_sleep(20 * LS_MS);
    ls_cancel(tick, NULL);
    ls_await(tick, NULL, LS_NEVER);
    printf("fsync_per_request: the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

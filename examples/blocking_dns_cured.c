/* blocking_dns_cured.c - the getaddrinfo of blocking_dns.c on a thread: only the task that asks waits. */
#include <arpa/inet.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>

#include <loopscope/runtime.h>

/* What a reader sees: a task that wants to run every 10 ms, and how late it came at worst. */
static intptr_t ticker(void *worst)
{
    for (ls_ns next = ls_after(10 * LS_MS); !ls_sleep_until(next); next = ls_after(10 * LS_MS))
        if (ls_now() - next > *(ls_ns *)worst)
            *(ls_ns *)worst = ls_now() - next;
    return 0;
}

/* Asks a name server that does not answer: a port of ours (`arg`) that nobody reads, for a second. */
static intptr_t resolve(void *arg)
{
    struct addrinfo *found = NULL;
    res_init();
    _res.nscount = _res.retrans = _res.retry = 1;
    _res.nsaddr_list[0] = *(struct sockaddr_in *)arg;
    return getaddrinfo("db.internal.", "80", NULL, &found);
}

static intptr_t app(void *arg)
{
    (void)arg;
    ls_ns worst = 0;
    struct sockaddr_in silent = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof silent;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&silent, len) || getsockname(fd, (struct sockaddr *)&silent, &len))
        return 1;
    struct ls_task *tick = ls_spawn(ticker, &worst, NULL);
    ls_sleep(50 * LS_MS);
    ls_to_thread(resolve, &silent, NULL, LS_NEVER);
    ls_sleep(20 * LS_MS);
    ls_cancel(tick, NULL);
    ls_await(tick, NULL, LS_NEVER);
    printf("blocking_dns_cured: the ticker came %.0f ms late at worst\n", (double)worst / 1e6);
    return 0;
}

int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

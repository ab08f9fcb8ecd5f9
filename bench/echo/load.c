/* load.c PORT SERVER-PID [CONNECTIONS BYTES MS] - asks an echo server as fast as it answers, from core 1.
 *
 * Each connection sends its next message when the last has come back whole.  One line: requests a second, ns of the
 * server's CPU per request, p50 and p99 in us. */
#include <string.h>
#include <sys/epoll.h>

#include "bench/bench.h"
#include "bench/echo/echo.h"

#define WARM_UP 300000000u /* ns */
#define MANY    1000
#define BUCKETS 200000 /* of 0.1 us; the last holds what took longer */

static struct connection {
    int fd, missing;
    uint64_t asked;
} conn[MANY];
static uint32_t bucket[BUCKETS];
static char message[1 << 16], answer[1 << 16];

static uint64_t cpu_of(int pid) /* ns, of its main thread */
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%llu", &ns) != 1)
        exit(2);
    fclose(f);
    return ns;
}

static void ask(struct connection *c, int bytes, uint64_t now)
{
    c->missing = bytes;
    c->asked = now;
    if (write(c->fd, message, (size_t)bytes) != bytes)
        exit(3);
}

/* Until `end`; how many answers came. */
static uint64_t run(int epoll, int bytes, uint64_t end)
{
    uint64_t count = 0, now = 0;
    struct epoll_event events[256];
    while (now < end) {
        int n = epoll_wait(epoll, events, 256, 1000);
        now = bench_now();
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t r = read(c->fd, answer, sizeof answer);
            if (r <= 0)
                exit(4);
            if ((c->missing -= (int)r) > 0)
                continue;
            uint64_t took = (now - c->asked) / 100;
            bucket[took < BUCKETS ? took : BUCKETS - 1]++;
            count++;
            ask(c, bytes, now);
        }
    }
    return count;
}

static double percentile(uint64_t count, double share)
{
    uint64_t sum = 0, wanted = (uint64_t)((double)count * share);
    for (int i = 0; i < BUCKETS; i++)
        if ((sum += bucket[i]) > wanted)
            return i / 10.0;
    return BUCKETS / 10.0;
}

int main(int argc, char **argv)
{
    int port = argc > 2 ? atoi(argv[1]) : 0, pid = argc > 2 ? atoi(argv[2]) : 0,
        connections = argc > 3 ? atoi(argv[3]) : 50;
    int bytes = argc > 4 ? atoi(argv[4]) : 64, ms = argc > 5 ? atoi(argv[5]) : 800, epoll = epoll_create1(0);
    if (!port || connections > MANY || bytes > (int)sizeof message)
        return 2;
    echo_pin(1);
    memset(message, 'x', sizeof message);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port) };
    for (int i = 0; i < connections; i++) {
        struct connection *c = &conn[i];
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c->fd, (struct sockaddr *)&a, sizeof a)) {
            perror("load: connect");
            return 1;
        }
        echo_nodelay(c->fd);
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
        ask(c, bytes, bench_now());
    }
    run(epoll, bytes, bench_now() + WARM_UP);
    memset(bucket, 0, sizeof bucket);
    uint64_t start = bench_now(), cpu = cpu_of(pid);
    uint64_t count = run(epoll, bytes, start + (uint64_t)ms * 1000000u), took = bench_now() - start;
    cpu = cpu_of(pid) - cpu;
    if (!count)
        return 5;
    printf("%.0f %.1f %.1f %.1f\n", (double)count * 1e9 / (double)took, (double)cpu / (double)count,
           percentile(count, 0.50), percentile(count, 0.99));
    return 0;
}

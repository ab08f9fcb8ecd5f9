/* fail_loop.c - an event loop that can be killed, stopped, multiplied and made hostile: the target of tests/e2e/fail_*.py.
 * fail_loop MODE [N]: prints what it saw at its end; exits 7 when all went as it should, whatever the recorder did.
 *
 *   turns N     N turns of a loop, a short turn each, with a 40 ms block in the middle
 *   spin MS     a loop that lives so long and wakes 200 times a second; prints "up" first
 *   hang MS     one turn that lasts so long, in a sleep
 *   flood N     N turns with timeout 0: as many events as it can
 *   threads N   N loop threads at once
 *   churn N     N loop threads one after another
 *   workers N   N forked loops, one after another
 *   hostile N   N turns while another thread writes random bytes over the arena
 *   daemon MS   forks a loop that lives so long in a session of its own, prints its pid and ends */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Entries into the poll that a loop needs at least; each must time out as it was told. */
static void turns(int epfd, long n, int timeout)
{
    struct epoll_event e;
    while (n-- > 0)
        if (epoll_wait(epfd, &e, 1, timeout) != 0)
            fail("epoll_wait");
}

static int new_loop(void)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    if (epfd < 0)
        fail("epoll_create1");
    return epfd;
}

static void live(long ms)
{
    int epfd = new_loop();
    struct epoll_event e;
    for (long end = now_ms() + ms; now_ms() < end;)
        if (epoll_wait(epfd, &e, 1, 5) < 0 && errno != EINTR) /* EINTR: a SIGSTOP has this effect, recorded or not */
            fail("epoll_wait");
    close(epfd);
}

static void *short_loop(void *barrier)
{
    int epfd = new_loop();
    turns(epfd, 5, 0);
    if (barrier)
        pthread_barrier_wait(barrier);
    turns(epfd, 5, 1);
    close(epfd);
    return NULL;
}

static void threads(long n, int together)
{
    pthread_t *id = calloc((size_t)n, sizeof *id);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)n);
    for (long i = 0; i < n; i++) {
        if (pthread_create(&id[i], NULL, short_loop, together ? &barrier : NULL))
            fail("pthread_create");
        if (!together)
            pthread_join(id[i], NULL);
    }
    for (long i = 0; together && i < n; i++)
        pthread_join(id[i], NULL);
    free(id);
}

static void workers(long n)
{
    for (long i = 0; i < n; i++) {
        int status;
        pid_t pid = fork();
        if (!pid) {
            short_loop(NULL);
            _exit(3);
        }
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 3)
            fail("worker");
    }
}

/* The arena as this process maps it; what a stray pointer could hit. */
static void *spoil(void *over)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[4600];
    uintptr_t from = 0, to = 0;
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "/arena") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            break;
    if (f)
        fclose(f);
    uint64_t x = 88172645463325252ull, head = 256 << 10; /* header and slots; rings may be holes */
    for (uint64_t i = 0; from && !atomic_load_explicit((atomic_int *)over, memory_order_relaxed); i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t at = x % (to - from < head ? to - from : head);
        *(volatile unsigned char *)(from + at) = (unsigned char)(x >> 32);
        if (i % 64 == 0)
            nanosleep(&(struct timespec){ 0, 50000 }, NULL);
    }
    return NULL;
}

static void start_daemon(long ms)
{
    pid_t pid = fork();
    if (pid) {
        printf("%d\n", (int)pid);
        return;
    }
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    live(ms);
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    long n = argc > 2 ? atol(argv[2]) : 100;
    int epfd = new_loop();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(mode, "turns")) {
        turns(epfd, n / 2, 1);
        usleep(40000);
        turns(epfd, n - n / 2, 1);
    } else if (!strcmp(mode, "spin")) {
        puts("up");
        live(n);
    } else if (!strcmp(mode, "hang")) {
        turns(epfd, 3, 1);
        puts("up");
        usleep((useconds_t)n * 1000);
        turns(epfd, 3, 1);
    } else if (!strcmp(mode, "flood")) {
        turns(epfd, n, 0);
    } else if (!strcmp(mode, "threads")) {
        threads(n, 1);
    } else if (!strcmp(mode, "churn")) {
        threads(n, 0);
    } else if (!strcmp(mode, "workers")) {
        workers(n);
    } else if (!strcmp(mode, "hostile")) {
        static atomic_int over;
        pthread_t id;
        turns(epfd, 3, 0);
        pthread_create(&id, NULL, spoil, &over);
        turns(epfd, n, 1);
        atomic_store(&over, 1);
        pthread_join(id, NULL);
    } else if (!strcmp(mode, "daemon")) {
        start_daemon(n);
    }
    printf("%s %ld done\n", mode, n);
    return 7;
}

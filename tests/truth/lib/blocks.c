/* blocks.c - see blocks.h.  The helper thread is told over a pipe what to do and when; it is never a loop itself. */
#include "blocks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

enum order { WRITE_PIPE, HOLD_MUTEX, HOLD_FLOCK, ANSWER_DNS, FILL_PAGE };
struct message {
    enum order order;
    int ms;
    void *page;
};

static FILE *log_file;
static unsigned random_state;
static int orders[2], data_pipe[2], lock_fd[2], dns_fd, fault_fd, sync_fd;
static char lock_path[64], sync_path[64];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t taken; /* the helper has the lock that it was told to hold */

int64_t blocks_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

unsigned blocks_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static void pause_for(int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

static void tell(enum order order, int ms, void *page)
{
    struct message m = { order, ms, page };
    if (write(orders[1], &m, sizeof m) != sizeof m)
        abort();
}

/* "No such name", to whatever was asked, after a while. */
static void answer_dns(int ms)
{
    unsigned char q[512];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    int queries = 0;
    for (struct pollfd f = { dns_fd, POLLIN, 0 }; poll(&f, 1, queries ? 20 : 2000) > 0; queries++) {
        size = sizeof from;
        ssize_t n = recvfrom(dns_fd, q, sizeof q, 0, (struct sockaddr *)&from, &size);
        if (n < 12)
            return;
        if (!queries)
            pause_for(ms);
        q[2] |= 0x80; /* a response */
        q[3] = (unsigned char)((q[3] & 0xf0) | 3);
        sendto(dns_fd, q, (size_t)n, 0, (struct sockaddr *)&from, size);
    }
}

static void *helper(void *arg)
{
    struct message m;
    (void)arg;
    while (read(orders[0], &m, sizeof m) == sizeof m) {
        switch (m.order) {
        case WRITE_PIPE:
            pause_for(m.ms);
            if (write(data_pipe[1], "x", 1) != 1)
                abort();
            break;
        case HOLD_MUTEX:
            pthread_mutex_lock(&mutex);
            sem_post(&taken);
            pause_for(m.ms);
            pthread_mutex_unlock(&mutex);
            break;
        case HOLD_FLOCK:
            flock(lock_fd[1], LOCK_EX);
            sem_post(&taken);
            pause_for(m.ms);
            flock(lock_fd[1], LOCK_UN);
            break;
        case ANSWER_DNS: answer_dns(m.ms); break;
        case FILL_PAGE: {
            struct uffd_msg event;
            static char zeros[4096];
            if (read(fault_fd, &event, sizeof event) != sizeof event)
                abort();
            pause_for(m.ms);
            struct uffdio_copy copy = { .dst = (uintptr_t)m.page, .src = (uintptr_t)zeros, .len = 4096 };
            if (ioctl(fault_fd, UFFDIO_COPY, &copy))
                abort();
            break;
        }
        }
    }
    return NULL;
}

NOINLINE void block_cpu(int ms)
{
    for (int64_t until = blocks_now() + ms * 1000000ll; blocks_now() < until;)
        for (volatile int i = 0; i < 1000; i++)
            ;
}
NOINLINE static void block_nanosleep(int ms)
{
    struct timespec t = { 0, ms * 1000000L };
    nanosleep(&t, NULL);
    __asm__ volatile("" ::: "memory"); /* keeps each block_* on the stack: no tail call */
}
NOINLINE static void block_usleep(int ms)
{
    usleep((useconds_t)ms * 1000);
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void block_read(int ms)
{
    char c;
    tell(WRITE_PIPE, ms, NULL);
    if (read(data_pipe[0], &c, 1) != 1)
        abort();
}
NOINLINE static void block_poll(int ms)
{
    struct pollfd f = { data_pipe[0], POLLIN, 0 };
    poll(&f, 1, ms);
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void block_mutex(int ms)
{
    tell(HOLD_MUTEX, ms, NULL);
    sem_wait(&taken);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void block_flock(int ms)
{
    tell(HOLD_FLOCK, ms, NULL);
    sem_wait(&taken);
    flock(lock_fd[0], LOCK_EX);
    flock(lock_fd[0], LOCK_UN);
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void block_waitpid(int ms)
{
    pid_t pid = fork();
    if (!pid) {
        pause_for(ms);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void block_getaddrinfo(int ms)
{
    struct addrinfo hints = { .ai_family = AF_INET }, *list = NULL;
    tell(ANSWER_DNS, ms, NULL);
    if (!getaddrinfo("truth.invalid", NULL, &hints, &list))
        freeaddrinfo(list);
}
NOINLINE static void block_fsync(int ms)
{
    static char data[1 << 20];
    (void)ms; /* as long as the disk takes: the log says how long that was */
    for (int i = 0; i < 48; i++) {
        memset(data, i, 64);
        if (pwrite(sync_fd, data, sizeof data, (off_t)i << 20) != sizeof data)
            abort();
    }
    fsync(sync_fd);
    __asm__ volatile("" ::: "memory");
}
NOINLINE static void block_fault(int ms)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register reg = { .range = { (uintptr_t)page, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };
    if (page == MAP_FAILED || ioctl(fault_fd, UFFDIO_REGISTER, &reg))
        abort();
    tell(FILL_PAGE, ms, page);
    *(volatile char *)page = 1;
    munmap(page, 4096);
}

const struct block_kind block_kinds[] = {
    { "cpu", "cpu", "", block_cpu },
    { "nanosleep", "call", "nanosleep", block_nanosleep },
    { "usleep", "call", "usleep", block_usleep },
    { "read", "call", "read", block_read },
    { "poll", "call", "poll", block_poll },
    { "mutex", "lock", "pthread_mutex_lock", block_mutex },
    { "flock", "lock", "flock", block_flock },
    { "waitpid", "call", "waitpid", block_waitpid },
    { "getaddrinfo", "call", "getaddrinfo", block_getaddrinfo },
    { "fsync", "call", "", block_fsync }, /* fsync, or write where the disk is a memory file system */
    { "fault", "fault", "", block_fault },
};
const int block_kinds_n = sizeof block_kinds / sizeof *block_kinds;

static int start_dns(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    dns_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (dns_fd < 0 || bind(dns_fd, (struct sockaddr *)&a, size) || getsockname(dns_fd, (struct sockaddr *)&a, &size) ||
        res_init())
        return -1;
    _res.nscount = 1;
    _res.nsaddr_list[0] = a;
    _res.retrans = 5;
    _res.retry = 1;
    _res.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
    return 0;
}

static int start_faults(void)
{
    struct uffdio_api api = { .api = UFFD_API };
    fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    return fault_fd < 0 || ioctl(fault_fd, UFFDIO_API, &api) ? -1 : 0;
}

void blocks_start(const char *log_path, unsigned seed)
{
    pthread_t thread;
    random_state = seed * 2654435761u + 1;
    snprintf(lock_path, sizeof lock_path, "/tmp/truth-lock-%d", getpid());
    snprintf(sync_path, sizeof sync_path, "/tmp/truth-sync-%d", getpid());
    log_file = fopen(log_path, "we");
    if (!log_file || pipe2(orders, O_CLOEXEC) || pipe2(data_pipe, O_CLOEXEC) || sem_init(&taken, 0, 0) || start_dns() ||
        start_faults()) {
        perror("truth");
        exit(77);
    }
    for (int i = 0; i < 2; i++)
        lock_fd[i] = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    sync_fd = open(sync_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    unlink(lock_path);
    unlink(sync_path);
    if (pthread_create(&thread, NULL, helper, NULL))
        exit(77);
    pthread_detach(thread);
}

void block_run(const struct block_kind *kind, int ms, int expect)
{
    int64_t t = blocks_now();
    kind->run(ms);
    int64_t dur = blocks_now() - t;
    if (!strcmp(kind->name, "fsync"))
        expect = dur >= 24000000 ? 1 : dur > 19000000 ? -1 : 0; /* -1: too near the threshold to say */
    else if (!expect && dur > 15000000)
        expect = -1; /* a busy machine made it long, and its turn longer */
    fprintf(log_file, "%lld %lld %d %s %s %s block_%s\n", (long long)t, (long long)dur, expect, kind->name, kind->cause,
            *kind->call ? kind->call : "-", kind->name);
}

void blocks_log_sum(int64_t start_ns, int64_t dur_ns, const char *function)
{
    fprintf(log_file, "%lld %lld 1 ten cpu - %s\n", (long long)start_ns, (long long)dur_ns, function);
}

void blocks_end(void)
{
    fclose(log_file);
}

struct block_step blocks_plan(int n)
{
    struct block_step s = { .pause_ms = 5 + (int)(blocks_random() % 25) };
    if (n == 9 || n == 19)
        return s; /* ten callbacks of 8 ms */
    s.kind = &block_kinds[(n < block_kinds_n ? (unsigned)n : blocks_random()) % (unsigned)block_kinds_n];
    s.expect = n < block_kinds_n || blocks_random() % 3;
    s.ms = s.expect ? 25 + (int)(blocks_random() % 70) : 2 + (int)(blocks_random() % 11);
    return s;
}

/* Names of hosts: on a thread, but what is numeric; results dropped when nobody waits; codes as getaddrinfo's. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

#include <loopscope/runtime.h>

/* libc's calls as the runtime sees them.  "slow.test" waits until it may go on, and is 127.0.0.9. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int may_go, waiting, lists, on_loop, on_thread;
static pthread_t loop_thread;

typedef int forward_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    forward_fn *real = (forward_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
    pthread_mutex_lock(&mutex);
    if (pthread_equal(pthread_self(), loop_thread))
        on_loop++;
    else
        on_thread++;
    if (host && !strcmp(host, "slow.test")) {
        host = "127.0.0.9";
        waiting++;
        pthread_cond_broadcast(&moved);
        while (!may_go)
            pthread_cond_wait(&moved, &mutex);
    }
    int code = real(host, service, hints, list);
    lists += !code;
    pthread_mutex_unlock(&mutex);
    return code;
}
void freeaddrinfo(struct addrinfo *list)
{
    pthread_mutex_lock(&mutex);
    lists--;
    pthread_mutex_unlock(&mutex);
    ((void (*)(struct addrinfo *))dlsym(RTLD_NEXT, "freeaddrinfo"))(list);
}
static void go(void)
{
    pthread_mutex_lock(&mutex);
    may_go = 1;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&mutex);
}
static void await_waiting(void)
{
    pthread_mutex_lock(&mutex);
    while (!waiting)
        pthread_cond_wait(&moved, &mutex);
    pthread_mutex_unlock(&mutex);
}

static const struct addrinfo stream = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

static intptr_t names_app(void *arg)
{
    (void)arg;
    struct addrinfo *list = NULL;
    char host[8] = "slow.te", service[] = "4000", name[16] = "slow.test";
    (void)host;
    may_go = 1;
    if (ls_getaddrinfo(name, service, &stream, &list, LS_NEVER))
        return 1;
    struct sockaddr_in *a = (struct sockaddr_in *)list->ai_addr;
    if (a->sin_addr.s_addr != htonl(0x7f000009) || a->sin_port != htons(4000) || list->ai_socktype != SOCK_STREAM)
        return 2;
    freeaddrinfo(list);
    list = NULL;
    if (ls_getaddrinfo("localhost", NULL, NULL, &list, LS_NEVER))
        return 3;
    freeaddrinfo(list);
    int code = ls_getaddrinfo("localhost", "no-such-service-at-all", &stream, &list, LS_NEVER);
    if (code != EAI_SERVICE && code != EAI_NONAME)
        return 4;
    return on_loop == 0 && on_thread == 3 ? 0 : 5;
}
Test(dns, names_are_looked_up_on_a_thread)
{
    loop_thread = pthread_self();
    cr_assert_eq(ls_run(names_app, NULL, NULL), 0);
    cr_assert_eq(lists, 0);
}

static intptr_t numeric_app(void *arg)
{
    (void)arg;
    static const char *const hosts[] = { "127.0.0.1", "::1", "fe80::1%1", "10.1", NULL };
    struct addrinfo *list;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (ls_getaddrinfo(hosts[i], "80", &stream, &list, LS_NEVER))
            return 1;
        freeaddrinfo(list);
    }
    if (on_loop != 5 || on_thread)
        return 2;
    list = NULL;
    if (ls_getaddrinfo("::1", "80", &(struct addrinfo){ .ai_family = AF_INET }, &list, LS_NEVER) == 0 || list)
        return 3;
    if (ls_getaddrinfo(NULL, NULL, NULL, &list, LS_NEVER) != EAI_NONAME)
        return 4;
    if (ls_getaddrinfo("127.0.0.1", "http", &stream, &list, LS_NEVER) || on_thread != 1) /* reads /etc/services */
        return 5;
    freeaddrinfo(list);
    ls_getaddrinfo("127.0.0.1 and more", "80", &stream, &list, LS_NEVER); /* inet_aton takes it; it is a name */
    return on_loop == 7 && on_thread == 2 ? 0 : 6;
}
Test(dns, what_is_numeric_needs_no_thread)
{
    loop_thread = pthread_self();
    cr_assert_eq(ls_run(numeric_app, NULL, NULL), 0);
    cr_assert_eq(lists, 0);
}

static intptr_t look_slow(void *arg)
{
    struct addrinfo *list = arg;
    int code = ls_getaddrinfo("slow.test", "1", &stream, &list, LS_NEVER);
    return code == EAI_SYSTEM && errno == ECANCELED && list == arg ? 1 : 2;
}
static intptr_t stop_app(void *arg)
{
    (void)arg;
    intptr_t result;
    struct addrinfo *list = NULL;
    struct ls_task *t = ls_spawn(look_slow, NULL, NULL);
    ls_yield();
    await_waiting();
    ls_cancel(t, NULL);
    if (ls_await(t, &result, LS_NEVER) || result != 1)
        return 1;
    if (ls_getaddrinfo("slow.test", NULL, NULL, &list, ls_after(3 * LS_MS)) != EAI_SYSTEM || errno != ETIMEDOUT || list)
        return 2;
    if (ls_getaddrinfo("slow.test", NULL, NULL, &list, 1) != EAI_SYSTEM || errno != ETIMEDOUT)
        return 3;
    int before = lists;
    go();
    return before; /* the loop waits for the threads, and drops what they bring */
}
Test(dns, a_result_that_nobody_waits_for_is_freed)
{
    loop_thread = pthread_self();
    cr_assert_eq(ls_run(stop_app, NULL, NULL), 0);
    cr_assert_eq(lists, 0);
    cr_assert(on_thread == 1 || on_thread == 2); /* the one whose time was over never began */
    struct addrinfo *list;
    cr_assert_eq(ls_getaddrinfo("localhost", NULL, NULL, &list, LS_NEVER), EAI_SYSTEM);
    cr_assert_eq(errno, EPERM);
}

static intptr_t reverse_app(void *arg)
{
    (void)arg;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct sockaddr *addr = (struct sockaddr *)&a;
    char host[256] = "-", service[32] = "-", tiny[4] = "-";
    if (ls_getnameinfo(addr, sizeof a, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV,
                       LS_NEVER) ||
        strcmp(host, "127.0.0.1") != 0 || strcmp(service, "80") != 0)
        return 1;
    if (ls_getnameinfo(addr, sizeof a, host, sizeof host, NULL, 0, 0, LS_NEVER) || !strcmp(host, "127.0.0.1"))
        return 2;
    if (ls_getnameinfo(addr, sizeof a, tiny, sizeof tiny, NULL, 0, NI_NUMERICHOST, LS_NEVER) != EAI_OVERFLOW ||
        strcmp(tiny, "-") != 0)
        return 3;
    if (ls_getnameinfo(addr, 1, host, sizeof host, NULL, 0, 0, LS_NEVER) != EAI_FAMILY)
        return 4;
    if (ls_getnameinfo(addr, sizeof a, host, sizeof host, NULL, 0, 0, 1) != EAI_SYSTEM || errno != ETIMEDOUT)
        return 5;
    return 0;
}
Test(dns, addresses_have_names)
{
    cr_assert_eq(ls_run(reverse_app, NULL, NULL), 0);
}

/* echo.h - what the echo servers share: one core, a listening socket, and a word that it listens. */
#ifndef LOOPSCOPE_BENCH_ECHO_H
#define LOOPSCOPE_BENCH_ECHO_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ECHO_BUFFER 4096

static inline void echo_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        perror("sched_setaffinity");
}

/* A socket on any port of 127.0.0.1, and the line "PID PORT" for echo.py. */
static inline int echo_listen(int flags)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    echo_pin(0);
    if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 512) || getsockname(fd, (struct sockaddr *)&a, &len)) {
        perror("echo");
        exit(1);
    }
    printf("%d %d\n", (int)getpid(), ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static inline void echo_nodelay(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

#endif

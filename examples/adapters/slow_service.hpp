/* slow_service.hpp - what coro_fetch.cpp and its blocking twin ask: a socket whose other end takes its time. */
#ifndef SLOW_SERVICE_HPP
#define SLOW_SERVICE_HPP

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <thread>

/* A service that thinks before it answers; it stands for another machine. */
struct slow_service {
    int ours, theirs;
    std::thread thread;

    explicit slow_service(std::chrono::milliseconds thinks)
    {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
            throw std::system_error(errno, std::generic_category(), "socketpair");
        ours = pair[0];
        theirs = pair[1];
        thread = std::thread([this, thinks] {
            std::this_thread::sleep_for(thinks);
            if (write(theirs, "hello", 5) != 5)
                perror("slow_service");
        });
    }
    ~slow_service()
    {
        thread.join();
        close(ours);
        close(theirs);
    }
};

#endif

/* coro.hpp - C++20 coroutines that loopscope can see: a small task type and a scheduler for one thread.
 *
 *     ls::task<int> size(int fd) { co_await ls::ready(fd, POLLIN);  ...  co_return n; }
 *     ls::task<int> app() { auto t = ls::spawn(size(fd), "size");  co_return co_await t; }
 *     int main() { return ls::run(app()); }
 *
 * A coroutine that is awaited as it is runs in its caller's task, as a function does; one that was spawned is a task of
 * its own.  An exception goes to who awaits.  A task that is dropped runs on, until the first one is
 * over: then it is cancelled, where it waits.  No other cancellation, no threads.
 * It tells its story by probe.h in six places, each marked with "trace". */
#ifndef CORO_HPP
#define CORO_HPP

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <deque>
#include <exception>
#include <map>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <loopscope/probe.h>

namespace ls {

using clock = std::chrono::steady_clock; /* CLOCK_MONOTONIC, as the trace */
using where = std::source_location;

/* trace: a place in the code.  probe.h wants one static ls_site for each, and a source_location has no memory for it. */
inline ls_site *site_of(const where &w)
{
    struct place {
        std::string function;
        ls_site site;
    };
    static thread_local std::map<std::pair<const char *, uint_least32_t>, place> places; /* its nodes never move */
    auto [at, is_new] = places.try_emplace({ w.file_name(), w.line() });
    if (is_new) { /* "void fetch(fetch(int)::_Z5fetchi.Frame*)" is what g++ calls fetch in a coroutine */
        std::string all = w.function_name(), head = all.substr(0, all.find('('));
        at->second.function = head.substr(head.find_last_of(" ") + 1);
        at->second.site = { at->second.function.c_str(), w.file_name(), w.line(), 0 };
    }
    return &at->second.site;
}

/* What the scheduler runs and the trace calls a task: a stack of coroutines, of which the innermost is suspended. */
struct strand {
    std::string name;
    where born;
    uint32_t parent = 0, id = 0; /* in the trace */
    std::coroutine_handle<> innermost;
    strand *joiner = nullptr;
    bool started = false, over = false;

    /* trace: a new task.  0 while nothing records; asked again, because a recording may begin later. */
    uint32_t told()
    {
        if (!id && ls_probe_on())
            id = ls_probe_task_new(parent, site_of(born), name.c_str());
        return id;
    }
};

/* Why the running strand stops; the awaiter says so, the scheduler tells it with the next switch. */
struct reason {
    ls_why why = LS_WHY_SPAWN;
    uint64_t target = 0;
    ls_site *site = nullptr;
};

class scheduler {
public:
    static scheduler &here()
    {
        static thread_local scheduler s;
        return s;
    }

    /* trace: who is made ready, and by whom. */
    void wake(strand *s)
    {
        ls_probe_wake(s->told(), running ? running->told() : 0);
        queue.push_back(s);
    }
    void start(strand *s, std::coroutine_handle<> h, std::string name, const where &w)
    {
        s->name = std::move(name);
        s->born = w;
        s->parent = running ? running->told() : 0;
        s->innermost = h;
        s->started = true;
        s->told(); /* a new task is ready: no wake */
        queue.push_back(s);
    }
    void again() { queue.push_back(running); } /* a yield: the switch away says that it is ready */
    void stop(std::coroutine_handle<> innermost, reason r)
    {
        running->innermost = innermost;
        stopped = r;
    }
    /* trace: the end, told before the switch away from it. */
    void end(strand *s, ls_outcome outcome, int64_t result)
    {
        ls_probe_task_end(s->told(), outcome, result);
        stopped = { LS_WHY_END, 0, nullptr };
        s->over = true;
        if (s->joiner)
            wake(s->joiner);
    }
    void sleeps(clock::time_point until) { timers.emplace(until, running); }
    void waits(int fd, short events)
    {
        fds.push_back({ fd, events, 0 });
        waiters.push_back(running);
    }

    /* Those whose task was dropped while they run: nobody else will free them. */
    std::map<strand *, std::coroutine_handle<>> orphans;

    /* One turn after the other until s is over, and no orphan is left. */
    void run(strand *s)
    {
        ls_probe_loop(s->name.c_str());
        while (!s->over) {
            poll_once();
            run_ready();
        }
        while (!orphans.empty()) {
            auto [orphan, h] = *orphans.begin();
            orphans.erase(orphans.begin());
            ls_probe_task_end(orphan->told(), LS_OUTCOME_CANCELLED, 0); /* trace: it does not run for that */
            h.destroy(); /* with its locals: some may be tasks, and orphans now */
        }
        queue.clear();
        timers.clear();
        fds.clear();
        waiters.clear();
        ls_probe_loop_end();
    }
    strand *running = nullptr;

private:
    /* Those that are ready by now, until one takes long; the others run in the next turn, after a poll. */
    void run_ready()
    {
        uint32_t from = 0;
        stopped = {};
        clock::time_point began = clock::now();
        for (size_t n = queue.size(); n && clock::now() - began < std::chrono::milliseconds(1); n--) {
            running = queue.front();
            queue.pop_front();
            uint32_t to = running->told(); /* read now: when it ends it may be gone */
            /* trace: one stops and one goes on, in one event. */
            ls_probe_switch(from, stopped.why, stopped.target, stopped.site, to);
            running->innermost.resume();
            from = to;
        }
        running = nullptr;
        if (from)
            ls_probe_switch(from, stopped.why, stopped.target, stopped.site, 0);
    }

    void poll_once()
    {
        clock::time_point before = clock::now();
        std::chrono::nanoseconds timeout{ -1 };
        if (!queue.empty())
            timeout = timeout.zero();
        else if (!timers.empty())
            timeout = std::max(timeout.zero(), std::chrono::nanoseconds(timers.begin()->first - before));
        else if (fds.empty())
            throw std::system_error(EDEADLK, std::generic_category(), "every task waits for another one");
        timespec t = { timeout.count() / 1000000000, timeout.count() % 1000000000 };
        /* trace: the thread sleeps between these two; what is outside of them is a turn of the loop. */
        ls_probe_poll_enter();
        int ready = ppoll(fds.data(), fds.size(), timeout.count() < 0 ? nullptr : &t, nullptr);
        ls_probe_poll_exit(ready, (int)fds.size(), timeout.count());
        size_t kept = 0;
        for (size_t i = 0; i < fds.size(); i++) {
            if (fds[i].revents)
                wake(waiters[i]);
            else
                fds[kept] = fds[i], waiters[kept++] = waiters[i];
        }
        fds.resize(kept);
        waiters.resize(kept);
        for (clock::time_point now = clock::now(); !timers.empty() && timers.begin()->first <= now;) {
            auto [due, s] = *timers.begin();
            timers.erase(timers.begin());
            if (due < before) { /* while the loop was busy: it counts as ready since then, not as asleep */
                ls_probe_wake_late(s->told(), (uint64_t)std::chrono::nanoseconds(now - due).count());
                queue.push_back(s);
            } else
                wake(s);
        }
    }

    std::deque<strand *> queue;
    std::multimap<clock::time_point, strand *> timers;
    std::vector<pollfd> fds;
    std::vector<strand *> waiters; /* of fds, by index */
    reason stopped;
};

/* What sleep, yield and ready give: something to co_await. */
struct pause {
    ls_why why;
    int fd = -1;
    short events = 0;
    clock::time_point until{};
    where at{};

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h)
    {
        scheduler &s = scheduler::here();
        s.stop(h, { why, fd >= 0 ? (uint64_t)fd : 0, ls_probe_on() ? site_of(at) : nullptr });
        if (why == LS_WHY_SLEEP)
            s.sleeps(until);
        else if (why == LS_WHY_FD)
            s.waits(fd, events);
        else
            s.again();
    }
    void await_resume() const noexcept {}
};
inline pause sleep(std::chrono::nanoseconds span) { return { .why = LS_WHY_SLEEP, .until = clock::now() + span }; }
inline pause yield() { return { .why = LS_WHY_YIELD }; }
inline pause ready(int fd, short events) { return { .why = LS_WHY_FD, .fd = fd, .events = events }; }

template <class T> class task;

/* The part of a promise that does not depend on the type of the result. */
struct promise_base {
    strand own;         /* used when it was spawned */
    strand *on = &own;  /* in whose task it runs: of the one that awaits it, when it was not spawned */
    std::coroutine_handle<> caller;
    std::exception_ptr error;

    std::suspend_always initial_suspend() const noexcept { return {}; }
    void unhandled_exception() { error = std::current_exception(); }
    pause await_transform(pause p, where w = where::current())
    {
        p.at = w;
        return p;
    }
    template <class T> auto await_transform(task<T> &t, where w = where::current()) { return typename task<T>::join{ t, w }; }
    template <class T> auto await_transform(task<T> &&t, where w = where::current()) { return typename task<T>::join{ t, w }; }

    int errno_of_error() const
    {
        try {
            std::rethrow_exception(error);
        } catch (const std::system_error &e) {
            return e.code().value();
        } catch (...) {
            return 0;
        }
    }
};

/* At the end of a coroutine: back to the caller, or the end of its strand. */
struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    void await_resume() const noexcept {}
    template <class P> std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) noexcept
    {
        P &p = h.promise();
        if (p.caller) {
            p.own.over = true;
            return p.caller;
        }
        if (p.error)
            scheduler::here().end(&p.own, LS_OUTCOME_ERROR, p.errno_of_error());
        else
            scheduler::here().end(&p.own, LS_OUTCOME_OK, p.number());
        if (scheduler::here().orphans.erase(&p.own))
            h.destroy();
        return std::noop_coroutine();
    }
};

template <class T> struct promise : promise_base {
    std::optional<T> value;
    task<T> get_return_object();
    final_awaiter final_suspend() const noexcept { return {}; }
    void return_value(T v) { value = std::move(v); }
    int64_t number() const
    {
        if constexpr (std::is_integral_v<T>)
            return (int64_t)*value;
        return 0;
    }
    T result()
    {
        if (error)
            std::rethrow_exception(error);
        return std::move(*value);
    }
};
template <> struct promise<void> : promise_base {
    task<void> get_return_object();
    final_awaiter final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    int64_t number() const { return 0; }
    void result() const
    {
        if (error)
            std::rethrow_exception(error);
    }
};

/* A coroutine and, when it was spawned, the task it runs in.  Moved, not copied. */
template <class T> class task {
public:
    using promise_type = promise<T>;
    explicit task(std::coroutine_handle<promise_type> handle) : h(handle) {}
    task(task &&other) noexcept : h(std::exchange(other.h, nullptr)) {}
    task &operator=(task &&other) noexcept
    {
        std::swap(h, other.h);
        return *this;
    }
    ~task()
    {
        if (!h)
            return;
        strand &s = h.promise().own;
        if (s.started && !s.over) {
            scheduler::here().orphans.emplace(&s, h); /* freed at its end */
            ls_probe_task_detached(s.told());
        } else
            h.destroy();
    }

    struct join {
        task &t;
        where at;
        bool await_ready() const noexcept { return t.h.promise().own.over; }
        template <class P> std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h)
        {
            promise_type &child = t.h.promise();
            if (!child.own.started) { /* as a call: the trace sees one task, and where the inner one waits */
                child.caller = h;
                child.on = h.promise().on;
                return t.h;
            }
            if (child.own.joiner)
                throw std::logic_error("somebody awaits task '" + child.own.name + "' already");
            child.own.joiner = h.promise().on;
            scheduler::here().stop(h, { LS_WHY_TASK, child.own.told(), ls_probe_on() ? site_of(at) : nullptr });
            return std::noop_coroutine();
        }
        T await_resume()
        {
            ls_probe_task_observed(t.h.promise().own.id); /* 0, when it was a call: no event */
            return t.h.promise().result();
        }
    };
    std::coroutine_handle<promise_type> h;
};
template <class T> task<T> promise<T>::get_return_object()
{
    return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object()
{
    return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

/* Makes a task of a coroutine; it begins when the others have had their turn. */
template <class T> [[nodiscard]] task<T> spawn(task<T> t, std::string name, where w = where::current())
{
    scheduler::here().start(&t.h.promise().own, t.h, std::move(name), w);
    return t;
}
/* Runs a coroutine, as task "main", and what it spawns until it is over. */
template <class T> T run(task<T> t, where w = where::current())
{
    task<T> root = spawn(std::move(t), "main", w);
    scheduler::here().run(&root.h.promise().own);
    ls_probe_task_observed(root.h.promise().own.told());
    return root.h.promise().result();
}

} // namespace ls
#endif

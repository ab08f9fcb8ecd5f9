/* coro_fetch.cpp - C++20 coroutines under loopscope: three fetches side by side, through the adapter coro.hpp.
 *
 * What it teaches: another runtime needs a dozen lines of probe.h to be seen as ours is.  In the trace: tasks with names
 * and parents, each wait with its reason (fd, sleep, task), what it waited for and the line of its co_await; an exception
 * is an outcome.  Its blocking twin is coro_fetch_blocking.cpp. */
#include "coro.hpp"
#include "slow_service.hpp"

using namespace std::chrono_literals;

/* Awaited as it is: a call in its caller's task, and the wait in it is the caller's. */
static ls::task<std::string> answer(int fd)
{
    char buf[64];
    co_await ls::ready(fd, POLLIN);
    ssize_t n = read(fd, buf, sizeof buf);
    if (n < 0)
        throw std::system_error(errno, std::generic_category(), "read");
    co_return std::string(buf, (size_t)n);
}

static ls::task<int> fetch(int delay)
{
    slow_service s{ std::chrono::milliseconds(delay) };
    std::string text = co_await answer(s.ours);
    co_return (int)text.size();
}

static ls::task<int> missing()
{
    co_await ls::yield();
    throw std::system_error(ENOENT, std::generic_category(), "no such page");
}

/* Runs every 10 ms: what a reader sees of the loop. */
static ls::task<void> ticker(std::chrono::nanoseconds &worst)
{
    for (;;) {
        auto due = ls::clock::now() + 10ms;
        co_await ls::sleep(10ms);
        worst = std::max(worst, std::chrono::nanoseconds(ls::clock::now() - due));
    }
}

static ls::task<int> app()
{
    std::chrono::nanoseconds worst{};
    auto tick = ls::spawn(ticker(worst), "ticker");
    std::vector<ls::task<int>> pages;
    for (int delay : { 300, 100, 200 })
        pages.push_back(ls::spawn(fetch(delay), "fetch " + std::to_string(delay)));
    for (auto &page : pages)
        printf("%d bytes\n", co_await page);
    auto lost = ls::spawn(missing(), "missing");
    try {
        co_await lost;
    } catch (const std::system_error &e) {
        printf("%s\n", e.what());
    }
    fprintf(stderr, "the ticker came %.0f ms late at worst\n", (double)worst.count() / 1e6);
    co_return 0;
}

int main()
{
    return ls::run(app());
}

/* coro_fetch_blocking.cpp - the naive twin of coro_fetch.cpp: the same three fetches, with a read() that blocks.
 *
 * The fault: read() in a coroutine waits in the thread, so the fetches come one after the other, and the ticker late.
 * The report: a stall a fetch, cause `call`, in read from `answer`, with the name of the task. */
#include "coro.hpp"
#include "slow_service.hpp"

using namespace std::chrono_literals;

static std::string answer(int fd)
{
    char buf[64];
    ssize_t n = read(fd, buf, sizeof buf); /* here */
    if (n < 0)
        throw std::system_error(errno, std::generic_category(), "read");
    return std::string(buf, (size_t)n);
}

static ls::task<int> fetch(int delay)
{
    slow_service s{ std::chrono::milliseconds(delay) };
    co_return (int)answer(s.ours).size();
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
    fprintf(stderr, "the ticker came %.0f ms late at worst\n", (double)worst.count() / 1e6);
    co_return 0;
}

int main()
{
    return ls::run(app());
}

// unwind_boost.cpp - burns CPU in a coroutine of boost.context.
#include <boost/context/fiber.hpp>

static volatile unsigned long work;

__attribute__((noinline)) static void boost_body()
{
    for (;;)
        for (int i = 0; i < 1000; i++)
            work += static_cast<unsigned long>(i) * work;
}

int main()
{
    boost::context::fiber f{ [](boost::context::fiber &&back) {
        boost_body();
        work++;
        return std::move(back);
    } };
    f = std::move(f).resume();
    return 0;
}

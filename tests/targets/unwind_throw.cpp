// unwind_throw.cpp - throws and catches without end, through a frame with a destructor.
#include <string>

namespace shop
{
static volatile unsigned long work;
struct guard {
    std::string name;
    ~guard()
    {
        work += name.size();
    }
};
template <class T> __attribute__((noinline)) void thrower(T value)
{
    guard g{ std::string(100, 'x') };
    if (value >= 0)
        throw value;
    work++;
}
} // namespace shop

int main()
{
    for (;;)
        try {
            shop::thrower<int>(1);
        } catch (int) {
        }
}

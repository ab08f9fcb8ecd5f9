// runtime_cpp.cpp - the whole API from C++: every header, macros with call sites, spans and allowances that an exception
// leaves; the target of tests/e2e/runtime_cpp.py, which builds it with -std=c++11 and c++20.
#include <loopscope/runtime.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

static intptr_t throws(void *arg)
{
    try {
        LS_SPAN("thrown out of") {
            LS_ALLOW_BLOCK("for a moment") {
                ls_sleep(5 * LS_MS);
                throw std::runtime_error("enough");
            }
        }
    } catch (const std::exception &e) {
        ls_markf("caught %s", e.what());
        return arg ? 1 : 7;
    }
    return -1;
}

// What a task has caught is its own, whoever throws and catches while it awaits in there.
static intptr_t rethrows(void *arg)
{
    const char *mine = static_cast<const char *>(arg);
    try {
        throw std::runtime_error(mine);
    } catch (...) {
        ls_sleep(LS_MS);
        ls_yield();
        try {
            throw;
        } catch (const std::exception &e) {
            return std::strcmp(e.what(), mine) ? -1 : 0;
        }
    }
}

static intptr_t app(void *)
{
    char names[3][2] = { "a", "b", "c" };
    struct ls_task *r[3];
    for (int i = 0; i < 3; i++)
        r[i] = ls_spawn(rethrows, names[i], nullptr);
    if (ls_gather(r, 3, nullptr, LS_NEVER))
        return 8;
    intptr_t out[2];
    struct ls_task *t[2] = { ls_spawn(throws, nullptr, "t%d", 0), ls_spawn(throws, out, nullptr) };
    if (ls_gather(t, 2, out, LS_NEVER))
        return 2;
    struct ls_chan *c = ls_chan_new("numbers", sizeof(int), 1);
    int n = 5, got = 0;
    ls_chan_send(c, &n, LS_NEVER);
    struct ls_case cases[] = { ls_case_recv(c, &got) };
    if (ls_select(cases, 1, LS_NEVER) || got != 5 || ls_chan_free(c))
        return 3;
    struct ls_group *g = ls_group_open("g");
    ls_group_spawn(g, throws, nullptr, nullptr);
    if (ls_group_close(g, LS_NEVER))
        return 4;
    if (ls_tasks_foreach([](const struct ls_task_info *, void *) { return 9; }, nullptr) != 9)
        return 5;
    return out[0] == 7 && out[1] == 1 ? 0 : 6;
}

int main()
{
    struct ls_opts opts = {};
    opts.name = "c++";
    intptr_t result = ls_run(app, nullptr, &opts);
    std::printf("%d\n", static_cast<int>(result));
    return static_cast<int>(result);
}

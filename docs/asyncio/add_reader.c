/* add_reader, add_writer; any library with a socket | ls_wait_fd
 * ls_wait_fd waits until the fd is ready and takes nothing from it: the way to make a library asynchronous that says
 * which fd it waits for. */
#include <errno.h>
#include <loopscope/runtime.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

static void put(void *text)
{
    if (write(ends[1], text, 1) != 1)
        perror("write");
}
static intptr_t app(void *arg)
{
    (void)arg;
    char text[10];
    if (pipe(ends))
        return 1;
    ls_call_later(10 * LS_MS, put, "x");
    ls_wait_fd(ends[0], POLLIN, LS_NEVER);
    ssize_t n = read(ends[0], text, sizeof text);
    printf("readable: %.*s\n", (int)n, text);
    if (ls_wait_fd(ends[0], POLLIN, ls_after(10 * LS_MS)) < 0 && errno == ETIMEDOUT)
        printf("nothing more\n");
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

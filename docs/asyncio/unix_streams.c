/* start_unix_server, open_unix_connection | ls_serve_unix, ls_connect_unix, ls_stream_read
 * A path that begins with '@' is an abstract one: nothing to remove. */
#include <ctype.h>
#include <loopscope/runtime.h>
#include <stdio.h>
#include <unistd.h>

static intptr_t serve(struct ls_stream *s, void *arg)
{
    char text[100];
    ssize_t n = ls_stream_read(s, text, sizeof text, LS_NEVER);
    for (ssize_t i = 0; i < n; i++)
        text[i] = (char)toupper(text[i]);
    return ls_stream_write(s, text, (size_t)n) + (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    (void)arg;
    char path[50], text[100];
    snprintf(path, sizeof path, "@loopscope.%d", getpid());
    struct ls_server *server = ls_serve_unix(path, serve, NULL, NULL);
    struct ls_stream *s = ls_connect_unix(path, LS_NEVER);
    ls_stream_write(s, "hello", 5);
    ls_stream_read_exactly(s, text, 5, LS_NEVER);
    printf("%.5s\n", text);
    ls_stream_close(s, LS_NEVER);
    return ls_server_close(server, LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

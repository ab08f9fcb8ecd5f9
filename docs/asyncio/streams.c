/* start_server, open_connection, StreamReader, StreamWriter | ls_serve, ls_connect, ls_stream_readline, ls_stream_write
 * A task a client; its stream is flushed and closed when it returns. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t serve(struct ls_stream *s, void *arg)
{
    char line[100];
    while (ls_stream_readline(s, line, sizeof line, LS_NEVER) > 0) {
        ls_stream_writef(s, "you said %s", line);
        ls_stream_drain(s, LS_NEVER);
    }
    return (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    (void)arg;
    char text[100];
    struct ls_server *server = ls_serve("127.0.0.1", 0, serve, NULL, NULL);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(server), LS_NEVER);
    ls_stream_write(s, "hello\nbye\n", 10);
    ls_stream_write_eof(s);
    ls_stream_readline(s, text, sizeof text, LS_NEVER);
    printf("%s", text);
    ls_stream_read_until(s, "y", text, sizeof text, LS_NEVER);
    printf("%s\n", text);
    ls_stream_read_exactly(s, text, 6, LS_NEVER);
    printf("%.6s\n", text);
    ls_stream_close(s, LS_NEVER);
    return ls_server_close(server, LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

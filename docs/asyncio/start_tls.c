/* StreamWriter.start_tls | ls_tls_new, ls_stream_tls
 * The certificate (PEM, with its key) is of localhost, and trusted.  Linked with OpenSSL.
 * link: -lssl -lcrypto */
#include <loopscope/runtime.h>
#include <stdio.h>
#include <stdlib.h>

static struct ls_tls *server_tls, *client_tls;

static intptr_t serve(struct ls_stream *s, void *arg)
{
    char line[100];
    if (ls_stream_tls(s, server_tls, NULL, LS_NEVER) || ls_stream_readline(s, line, sizeof line, LS_NEVER) < 0)
        return -1;
    return ls_stream_writef(s, "in secret: %s", line) + (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    (void)arg;
    const char *cert = getenv("CERTIFICATE");
    char line[100];
    server_tls = ls_tls_new(&(struct ls_tls_opts){ .server = 1, .certificate = cert });
    client_tls = ls_tls_new(&(struct ls_tls_opts){ .ca_file = cert });
    struct ls_server *server = ls_serve("127.0.0.1", 0, serve, NULL, NULL);
    struct ls_stream *s = ls_connect("127.0.0.1", ls_server_port(server), LS_NEVER);
    ls_stream_tls(s, client_tls, "localhost", LS_NEVER);
    ls_stream_write(s, "hello\n", 6);
    ls_stream_readline(s, line, sizeof line, LS_NEVER);
    printf("%s", line);
    ls_stream_close(s, LS_NEVER);
    ls_server_close(server, LS_NEVER);
    ls_tls_free(client_tls);
    return ls_tls_free(server_tls);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

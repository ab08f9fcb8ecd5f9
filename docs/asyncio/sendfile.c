/* sock_sendfile | ls_sendfile
 * From an offset, which moves along. */
#include <loopscope/runtime.h>
#include <stdio.h>

static intptr_t app(void *arg)
{
    (void)arg;
    int s[2];
    char text[100];
    off_t offset = 5;
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    FILE *f = tmpfile();
    fputs("from the file", f);
    fflush(f);
    printf("%zd bytes\n", ls_sendfile(s[0], fileno(f), &offset, 100, LS_NEVER));
    fclose(f);
    ssize_t n = ls_read(s[1], text, sizeof text, LS_NEVER);
    printf("%.*s\n", (int)n, text);
    ls_close(s[0]);
    return ls_close(s[1]);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

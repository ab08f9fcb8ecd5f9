/* files (aiofiles, or to_thread) | ls_file_open, ls_file_write, ls_file_read_all, ls_file_stat
 * Each call runs on the loop's threads; the disk never stops the loop. */
#include <fcntl.h>
#include <loopscope/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static intptr_t app(void *arg)
{
    (void)arg;
    char path[50], *text;
    struct stat st;
    snprintf(path, sizeof path, "/tmp/loopscope.%d", getpid());
    struct ls_file *f = ls_file_open(path, O_WRONLY | O_CREAT, 0600, LS_NEVER);
    ls_file_write(f, "two\nlines\n", 10, LS_NEVER);
    ls_file_close(f, LS_NEVER);
    ls_file_read_all(path, &text, NULL, LS_NEVER);
    printf("%s", text);
    free(text);
    ls_file_stat(path, &st, LS_NEVER);
    printf("%d bytes\n", (int)st.st_size);
    return ls_file_unlink(path, LS_NEVER);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

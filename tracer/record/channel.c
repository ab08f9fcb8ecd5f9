/* channel.c - the messages between the recorder and `record`, its stand-in for the command; one socket, both directions.
 * Used by the recorder's storing thread and by the stand-in's only one. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "recorder.h"

int recorder_send(int socket, int kind, int value, const char *text)
{
    struct recorder_message m = { .kind = (unsigned)kind, .value = value };
    if (text)
        snprintf(m.text, sizeof m.text, "%s", text);
    size_t size = offsetof(struct recorder_message, text) + strlen(m.text) + 1;
    return send(socket, &m, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int recorder_receive(int socket, struct recorder_message *ret_message)
{
    ssize_t n;
    do
        n = recv(socket, ret_message, sizeof *ret_message, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n < (ssize_t)offsetof(struct recorder_message, text) + 1)
        return 0;
    ((char *)ret_message)[n - 1] = 0;
    return 1;
}

/* resolve.c - the addresses of a host, with errno for what getaddrinfo says.  Runs on the loop's thread. */
#include <errno.h>
#include <stdio.h>

#include <loopscope/file.h>

#include "address.h"

int lsrt_address_find(struct ls_site *site, const char *call, const char *host, int port, int type, bool passive,
                      ls_ns deadline, struct addrinfo **ret_list)
{
    if (port < 0 || port > 65535) {
        lsrt_misuse(EINVAL, "%s: %d is not a port", call, port);
        return EINVAL;
    }
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0) };
    int code = ls_getaddrinfo_at(site, host, service, &hints, ret_list, deadline);
    if (!code)
        return 0;
    int error = code == EAI_SYSTEM ? errno : code == EAI_MEMORY ? ENOMEM : code == EAI_AGAIN ? EAGAIN : ENOENT;
    if (code != EAI_SYSTEM)
        lsrt_misuse(error, "%s: %s: %s", call, host ? host : "this machine", gai_strerror(code));
    return error;
}

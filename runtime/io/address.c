/* address.c - see address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void lsrt_address_text(const struct sockaddr *addr, socklen_t len, char text[ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE];
    text[0] = 0;
    if (len < sizeof addr->sa_family)
        return;
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, ADDRESS_TEXT, "%s:%u", host, ntohs(in->sin_port));
    } else if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)addr;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        bool zoned = in->sin6_scope_id && if_indextoname(in->sin6_scope_id, zone);
        snprintf(text, ADDRESS_TEXT, "[%s%s%s]:%u", host, zoned ? "%" : "", zoned ? zone : "", ntohs(in->sin6_port));
    } else if (addr->sa_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)addr;
        size_t n = len - offsetof(struct sockaddr_un, sun_path);
        if (n && !un->sun_path[0])
            snprintf(text, ADDRESS_TEXT, "unix:@%.*s", (int)n - 1, un->sun_path + 1);
        else if (n)
            snprintf(text, ADDRESS_TEXT, "unix:%.*s", (int)n, un->sun_path);
        else
            snprintf(text, ADDRESS_TEXT, "unix:");
    }
}

int lsrt_address_unix(const char *path, struct sockaddr_un *ret_addr, socklen_t *ret_len)
{
    size_t n = path ? strlen(path) : 0;
    if (!n)
        return EINVAL;
    if (n >= sizeof ret_addr->sun_path)
        return ENAMETOOLONG;
    *ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(ret_addr->sun_path, path, n);
    if (path[0] == '@')
        ret_addr->sun_path[0] = 0;
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '@'));
    return 0;
}

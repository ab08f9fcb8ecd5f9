/* address.h - socket addresses: names looked up, text made of them.  Runs on the loop's thread. */
#ifndef LSRT_ADDRESS_H
#define LSRT_ADDRESS_H

#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/core/loop.h"

#define ADDRESS_TEXT 128 /* enough for "unix:" and any path */

/* "127.0.0.1:4711", "[::1]:80", "unix:/run/x", "unix:@name"; "" when there is nothing to say. */
void lsrt_address_text(const struct sockaddr *addr, socklen_t len, char text[ADDRESS_TEXT]);
/* A path, abstract when it begins with '@'; 0 or errno. */
int lsrt_address_unix(const char *path, struct sockaddr_un *ret_addr, socklen_t *ret_len);
/* The addresses of a host (NULL: this machine; passive: every interface), for freeaddrinfo.  0 or errno: ENOENT when
 * there is no such host, and what getaddrinfo says of it is the error text. */
int lsrt_address_find(struct ls_site *site, const char *call, const char *host, int port, int type, bool passive,
                      ls_ns deadline, struct addrinfo **ret_list);

#endif

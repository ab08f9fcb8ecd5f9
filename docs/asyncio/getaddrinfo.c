/* loop.getaddrinfo | ls_getaddrinfo
 * On a thread; after a cancel the result is dropped safely. */
#include <arpa/inet.h>
#include <loopscope/runtime.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

static intptr_t app(void *arg)
{
    (void)arg;
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
    if (ls_getaddrinfo("localhost", "80", &hints, &list, LS_NEVER))
        return 1;
    struct sockaddr_in *a = (struct sockaddr_in *)(void *)list->ai_addr;
    printf("('%s', %d)\n", inet_ntoa(a->sin_addr), ntohs(a->sin_port));
    freeaddrinfo(list);
    return 0;
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}

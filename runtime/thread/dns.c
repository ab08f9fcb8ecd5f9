/* dns.c - names of hosts: libc's getaddrinfo and getnameinfo on the loop's pool.  Runs on the loop's thread, but for
 * look_forward and look_reverse.  A look-up has memory of its own, for the case that its task gives it up. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "runtime/core/object.h"

static const struct object_ops dns_ops = { .kind = LS_OBJECT_OTHER, .noun = "name" };

/* Runs a look-up that waits on `what`; 0, or EAI_SYSTEM with errno. */
static int look_up(struct loop *l, ls_fn *fn, void *arg, ls_drop_fn *drop, const char *what, struct ls_site *site,
                   ls_ns deadline)
{
    struct object o = { .ops = &dns_ops, .site = site };
    char name[64];
    snprintf(o.name, sizeof o.name, "%s", what);
    snprintf(name, sizeof name, "dns %s", what);
    struct work w = { .fn = fn,
                      .arg = arg,
                      .drop = drop,
                      .name = name,
                      .why = LS_WHY_DNS,
                      .on = on_object(&o),
                      .site = site,
                      .deadline = deadline };
    int error = lsrt_pool_run(l, NULL, &w, NULL, NULL);
    if (o.probe_id)
        ls_probe_object_end(o.probe_id);
    errno = error;
    return error ? EAI_SYSTEM : 0;
}

struct forward {
    struct addrinfo hints, *list;
    bool hinted;
    int code, error;
    const char *host, *service;
    char text[];
};

static intptr_t look_forward(void *arg)
{
    struct forward *f = arg;
    f->code = getaddrinfo(f->host, f->service, f->hinted ? &f->hints : NULL, &f->list);
    f->error = errno;
    return 0;
}

static void drop_forward(void *arg, intptr_t result)
{
    struct forward *f = arg;
    if (result == 0 && f->code == 0)
        freeaddrinfo(f->list);
    free(f);
}

static bool numeric_host(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;
    size_t n = strcspn(host, "%"); /* fe80::1%eth0 */
    if (inet_aton(host, &four))    /* which does not look at what follows a space; getaddrinfo takes that for a name */
        return !strpbrk(host, " \t\n\v\f\r");
    if (n >= sizeof address)
        return false;
    memcpy(address, host, n);
    address[n] = 0;
    return inet_pton(AF_INET6, address, &six) == 1;
}

static bool numeric_service(const char *service)
{
    return *service && !service[strspn(service, "0123456789")];
}

int ls_getaddrinfo_at(struct ls_site *site, const char *host, const char *service, const struct addrinfo *hints,
                      struct addrinfo **ret_list, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_getaddrinfo");
    if (!l)
        return EAI_SYSTEM;
    struct addrinfo *list;
    if ((!host || numeric_host(host)) && (!service || numeric_service(service))) {
        int code = getaddrinfo(host, service, hints, &list);
        if (!code)
            *ret_list = list;
        return code;
    }
    size_t h = host ? strlen(host) + 1 : 0, s = service ? strlen(service) + 1 : 0;
    struct forward *f = calloc(1, sizeof *f + h + s);
    if (!f)
        return EAI_MEMORY;
    if (host)
        f->host = memcpy(f->text, host, h);
    if (service)
        f->service = memcpy(f->text + h, service, s);
    if (hints) {
        f->hints = *hints;
        f->hinted = true;
    }
    if (look_up(l, look_forward, f, drop_forward, host ? host : service, site, deadline))
        return EAI_SYSTEM;
    int code = f->code, error = f->error;
    list = f->list;
    free(f);
    if (!code)
        *ret_list = list;
    else if (code == EAI_SYSTEM)
        errno = error;
    return code;
}

struct reverse {
    struct sockaddr_storage addr;
    socklen_t len;
    socklen_t host_size, service_size;
    int flags, code, error;
    char host[NI_MAXHOST], service[NI_MAXSERV];
};

static intptr_t look_reverse(void *arg)
{
    struct reverse *r = arg;
    r->code =
        getnameinfo((struct sockaddr *)&r->addr, r->len, r->host, r->host_size, r->service, r->service_size, r->flags);
    r->error = errno;
    return 0;
}

static void drop_reverse(void *arg, intptr_t result)
{
    (void)result;
    free(arg);
}

int ls_getnameinfo_at(struct ls_site *site, const struct sockaddr *addr, socklen_t len, char *host, size_t host_size,
                      char *service, size_t service_size, int flags, ls_ns deadline)
{
    struct loop *l = lsrt_inside("ls_getnameinfo");
    if (!l)
        return EAI_SYSTEM;
    struct reverse *r = calloc(1, sizeof *r);
    if (!r)
        return EAI_MEMORY;
    bool asks_host = host && host_size && !(flags & NI_NUMERICHOST);
    bool asks_service = service && service_size && !(flags & NI_NUMERICSERV);
    if (!addr || len > sizeof r->addr) {
        free(r);
        return EAI_FAMILY;
    }
    memcpy(&r->addr, addr, len);
    r->len = len;
    r->flags = flags;
    r->host_size = host ? (socklen_t)(host_size < sizeof r->host ? host_size : sizeof r->host) : 0;
    r->service_size = service ? (socklen_t)(service_size < sizeof r->service ? service_size : sizeof r->service) : 0;
    char what[INET6_ADDRSTRLEN + NI_MAXSERV] = "address";
    getnameinfo(addr, len, what, sizeof what, NULL, 0, NI_NUMERICHOST);
    if (!asks_host && !asks_service)
        look_reverse(r);
    else if (look_up(l, look_reverse, r, drop_reverse, what, site, deadline))
        return EAI_SYSTEM;
    int code = r->code, error = r->error;
    if (!code && r->host_size)
        memcpy(host, r->host, strlen(r->host) + 1);
    if (!code && r->service_size)
        memcpy(service, r->service, strlen(r->service) + 1);
    free(r);
    if (code == EAI_SYSTEM)
        errno = error;
    return code;
}

/* tls_echo_blocking.c - the naive twin of tls_echo.c: a task for each client, and OpenSSL on its socket as it comes.
 *
 * The fault: SSL_accept waits in the thread for a client that takes its time to shake hands, and nobody else is served.
 * The report: a stall, cause `call`, in read from `echo`, OpenSSL's frames folded.
 * link: -lssl -lcrypto */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <loopscope/runtime.h>

static SSL_CTX *tls;

static intptr_t echo(void *arg)
{
    int fd = (int)(intptr_t)arg, n;
    char buf[4096];
    SSL *ssl = SSL_new(tls);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) { /* here */
        while ((n = SSL_read(ssl, buf, sizeof buf)) > 0 && SSL_write(ssl, buf, n) == n)
            ls_yield();
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    return close(fd);
}

static intptr_t app(void *arg)
{
    char **argv = arg;
    int clients = atoi(argv[2]);
    struct ls_task *tasks[16] = { 0 };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)atoi(argv[1])) };
    socklen_t size = sizeof address;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tls = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(tls, argv[3]) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, argv[4], SSL_FILETYPE_PEM) != 1 ||
        bind(s, (struct sockaddr *)&address, size) || listen(s, 16) ||
        getsockname(s, (struct sockaddr *)&address, &size)) {
        perror("tls_echo_blocking");
        return 1;
    }
    printf("echo on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = 0; i < clients && i < 16; i++) {
        if (ls_wait_fd(s, POLLIN, LS_NEVER) < 0)
            return 1;
        tasks[i] = ls_spawn(echo, (void *)(intptr_t)accept(s, NULL, NULL), "client %d", i + 1);
    }
    ls_gather(tasks, (size_t)clients, NULL, LS_NEVER);
    SSL_CTX_free(tls);
    return close(s);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: tls_echo_blocking PORT CLIENTS CERTIFICATE KEY    16 clients at most\n");
        return 2;
    }
    return (int)ls_run(app, argv, &(struct ls_opts){ .name = "echo", .stack_size = 128 * 1024 });
}

/* tls.c - TLS as a layer of a stream, by OpenSSL 3.  Nothing else refers to this file, so only programs that call it are
 * linked with OpenSSL; built without it, its calls say ENOSYS.
 *
 * OpenSSL reads and writes the wire through a BIO of ours that never waits: a read takes what the socket has, a write is
 * the stream's.  So an SSL call never suspends a task in its middle, and what has to be waited for is waited for here.
 * Runs on the loop's thread. */
#include "stream.h"

#include <errno.h>
#include <unistd.h>

#if !defined LSRT_NO_TLS && __has_include(<openssl/ssl.h>)
#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* What connections share; lives as long as the handle or a stream that uses it. */
struct context {
    unsigned refs;
    SSL_CTX *ssl;
    BIO_METHOD *wire;
    unsigned char *alpn; /* as it goes over the wire; NULL: none */
    unsigned alpn_len;
    bool server, insecure;
};

struct ls_tls_object {
    struct object object;
    struct context *context;
};

/* One connection; s->tls. */
struct session {
    SSL *ssl;
    struct context *context;
    struct buffer ahead; /* what had come before TLS began: the wire's first bytes */
    bool ready;          /* the handshake is done */
    bool failed;
    bool wire_ended;
    char alpn[256]; /* "": none; a name has one byte for its length */
};

static void context_unref(struct context *c)
{
    if (--c->refs)
        return;
    SSL_CTX_free(c->ssl);
    BIO_meth_free(c->wire);
    free(c->alpn);
    free(c);
}

static void destroy(struct loop *l, struct object *o)
{
    (void)l;
    struct ls_tls_object *t = (struct ls_tls_object *)o;
    if (t->context)
        context_unref(t->context);
}

static const struct object_ops tls_ops = {
    .kind = LS_OBJECT_OTHER, .noun = "TLS context", .size = sizeof(struct ls_tls_object), .destroy = destroy
};

/* What OpenSSL has to say of the last failure. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "an unknown error";
}

/* The wire. */

static int wire_read(BIO *b, char *buf, int n)
{
    struct stream *s = BIO_get_data(b);
    struct session *t = s->tls;
    BIO_clear_retry_flags(b);
    size_t ahead = buffer_len(&t->ahead);
    if (ahead) {
        n = (size_t)n < ahead ? n : (int)ahead;
        buffer_take(&t->ahead, buf, (size_t)n);
        return n;
    }
    struct fd_state *f = s->closed ? NULL : lsrt_fd(lsrt_loop(), s->fd);
    if (!f)
        return -1;
    struct io io = { .fd = s->fd, .buf = buf, .n = (size_t)n };
    ssize_t r = -1;
    errno = EAGAIN;
    if (f->readable)
        do
            r = lsrt_try_read(&io, f);
        while (r < 0 && errno == EINTR);
    if (r == 0)
        t->wire_ended = true;
    else if (r < 0 && errno == EAGAIN)
        BIO_set_retry_read(b);
    else if (r < 0)
        s->read_error = errno;
    return (int)r;
}

static int wire_write(BIO *b, const char *buf, int n)
{
    BIO_clear_retry_flags(b);
    return lsrt_stream_send(lsrt_loop(), BIO_get_data(b), buf, (size_t)n) ? -1 : n;
}

static long wire_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    struct stream *s = BIO_get_data(b);
    if (what == BIO_CTRL_EOF)
        return s && s->tls && ((struct session *)s->tls)->wire_ended;
    return what == BIO_CTRL_FLUSH;
}

static int wire_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

/* The layer. */

/* What a failed SSL call means: 0 for the peer's goodbye, EAGAIN when the wire must give more first, or errno.  `kind`
 * is SSL_get_error's, and OpenSSL's error queue is as the call left it. */
static int meaning(struct stream *s, int kind)
{
    struct session *t = s->tls;
    if (kind == SSL_ERROR_WANT_READ)
        return EAGAIN;
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    t->failed = true;
    if (s->closed)
        return EBADF;
    if (s->read_error)
        return s->read_error;
    if (s->write_error && !t->wire_ended) /* at the end OpenSSL tries to say so, in vain */
        return s->write_error;
    long verified = t->ready || t->context->insecure ? X509_V_OK : SSL_get_verify_result(t->ssl);
    int error = t->wire_ended && t->ready ? ECONNABORTED : EPROTO;
    lsrt_misuse(error, "stream '%s': TLS: %s", s->object.name,
                t->wire_ended           ? "the peer ended the connection without saying goodbye"
                : verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                        : reason());
    s->read_error = error;
    return error;
}

/* The same, and the queue is empty again: the program may use OpenSSL, too. */
static int failure(struct stream *s, int result)
{
    int error = meaning(s, SSL_get_error(((struct session *)s->tls)->ssl, result));
    ERR_clear_error();
    return error;
}

/* Until the wire has more; 0 or errno. */
static int wait_wire(struct loop *l, struct stream *s, struct ls_site *site, ls_ns deadline)
{
    lsrt_stream_tell(s);
    struct fd_state *f = lsrt_fd(l, s->fd);
    if (f && f->reader) /* by ls_wait_fd on the stream's fd */
        return EBUSY;
    return f ? lsrt_fd_park(l, s->fd, POLLIN, f->readable, site, deadline) : errno;
}

static ssize_t layer_fill(struct loop *l, struct stream *s, struct ls_site *site, ls_ns deadline)
{
    struct session *t = s->tls;
    int error = lsrt_give_way(l, site);
    if (error)
        return lsrt_result(error);
    for (;;) {
        if (!buffer_reserve(&s->in, 1))
            return lsrt_result(ENOMEM);
        size_t space = buffer_space(&s->in);
        ERR_clear_error();
        int r = SSL_read(t->ssl, s->in.at + s->in.to, space < INT_MAX ? (int)space : INT_MAX);
        if (r > 0) {
            s->in.to += (size_t)r;
            return r;
        }
        error = failure(s, r);
        if (!error) {
            s->ended = true;
            return 0;
        }
        if (error == EAGAIN)
            error = wait_wire(l, s, site, deadline);
        if (error)
            return lsrt_result(error);
    }
}

static int layer_write(struct loop *l, struct stream *s, const void *buf, size_t n)
{
    (void)l;
    struct session *t = s->tls;
    if (!t->ready && !t->failed) {
        lsrt_misuse(EBUSY, "ls_stream_write: stream '%s' shakes hands", s->object.name);
        return EBUSY;
    }
    if (s->write_error)
        return s->write_error;
    for (const char *at = buf; n && !t->failed;) {
        int piece = n < INT_MAX ? (int)n : INT_MAX;
        ERR_clear_error();
        int r = SSL_write(t->ssl, at, piece);
        if (r <= 0) {
            int error = failure(s, r);
            return s->write_error ? s->write_error : error ? error : EPIPE; /* 0: it is the peer that said goodbye */
        }
        at += r;
        n -= (size_t)r;
    }
    return t->failed ? EPROTO : 0;
}

static void layer_goodbye(struct loop *l, struct stream *s)
{
    (void)l;
    struct session *t = s->tls;
    ERR_clear_error();
    if (t->ready && !t->failed)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

static void layer_free(struct stream *s)
{
    struct session *t = s->tls;
    SSL_free(t->ssl);
    context_unref(t->context);
    buffer_free(&t->ahead);
    free(t);
    s->tls = NULL;
    s->layer = NULL;
}

static const struct stream_layer layer = {
    .fill = layer_fill, .write = layer_write, .goodbye = layer_goodbye, .free = layer_free
};

/* Contexts. */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *arg)
{
    (void)ssl;
    struct context *c = arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, c->alpn, c->alpn_len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Length and bytes of each name, one after the other; 0 or errno. */
static int set_alpn(struct context *c, const char *const *names)
{
    size_t len = 0;
    for (const char *const *p = names; *p; p++) {
        if (!**p || strlen(*p) > 255)
            return lsrt_misuse(EINVAL, "ls_tls_new: '%s' is no protocol for ALPN", *p), EINVAL;
        len += 1 + strlen(*p);
    }
    if (!len)
        return 0;
    if (!(c->alpn = malloc(len)))
        return ENOMEM;
    for (const char *const *p = names; *p; p++) {
        size_t n = strlen(*p);
        c->alpn[c->alpn_len++] = (unsigned char)n;
        memcpy(c->alpn + c->alpn_len, *p, n);
        c->alpn_len += (unsigned)n;
    }
    if (c->server)
        SSL_CTX_set_alpn_select_cb(c->ssl, choose_alpn, c);
    else
        SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_len);
    return 0;
}

static int bad_file(const char *what, const char *path)
{
    int error = access(path, R_OK) ? errno : EINVAL;
    lsrt_misuse(error, "ls_tls_new: %s '%s': %s", what, path, error == EINVAL ? reason() : strerror(error));
    return error;
}

/* OpenSSL's own asks on the terminal, and stops the loop for it. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static int set_files(struct context *c, const struct ls_tls_opts *o)
{
    const char *key = o->key ? o->key : o->certificate;
    SSL_CTX_set_default_passwd_cb(c->ssl, no_password);
    if (c->server && !o->certificate)
        return lsrt_misuse(EINVAL, "ls_tls_new: a server needs a certificate"), EINVAL;
    if (o->certificate && SSL_CTX_use_certificate_chain_file(c->ssl, o->certificate) != 1)
        return bad_file("certificate", o->certificate);
    if (o->certificate && SSL_CTX_use_PrivateKey_file(c->ssl, key, SSL_FILETYPE_PEM) != 1)
        return bad_file("key", key);
    if (o->ca_file && SSL_CTX_load_verify_file(c->ssl, o->ca_file) != 1)
        return bad_file("ca_file", o->ca_file);
    if (o->ca_file && c->server)
        SSL_CTX_set_client_CA_list(c->ssl, SSL_load_client_CA_file(o->ca_file));
    if (!o->ca_file && !c->server && !c->insecure)
        SSL_CTX_set_default_verify_paths(c->ssl);
    int mode = c->server ? (o->ca_file ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE)
                         : (c->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER);
    SSL_CTX_set_verify(c->ssl, mode, NULL);
    return 0;
}

static struct context *context_new(const struct ls_tls_opts *o)
{
    struct context *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->refs = 1;
    c->server = o->server != 0;
    c->insecure = o->insecure != 0;
    c->ssl = SSL_CTX_new(c->server ? TLS_server_method() : TLS_client_method());
    c->wire = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "loopscope stream"); /* no index: there are only 127 in a process */
    int error = c->ssl && c->wire ? 0 : ENOMEM;
    if (!error) {
        BIO_meth_set_read(c->wire, wire_read);
        BIO_meth_set_write(c->wire, wire_write);
        BIO_meth_set_ctrl(c->wire, wire_ctrl);
        BIO_meth_set_create(c->wire, wire_create);
        SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
        SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS); /* an idle connection keeps no 34 KiB */
        SSL_CTX_set_session_id_context(c->ssl, (const unsigned char *)"loopscope", 9); /* to resume with certificates */
        error = set_files(c, o);
    }
    if (!error && o->alpn)
        error = set_alpn(c, o->alpn);
    if (!error)
        return c;
    context_unref(c);
    errno = error;
    return NULL;
}

struct ls_tls *ls_tls_new(const struct ls_tls_opts *opts)
{
    static struct ls_site site = LS_SITE_INIT("ls_tls_new");
    static const struct ls_tls_opts defaults;
    struct loop *l = lsrt_on_loop("ls_tls_new");
    if (!l)
        return NULL;
    ERR_clear_error();
    struct context *c = context_new(opts ? opts : &defaults);
    ERR_clear_error();
    struct ls_tls_object *t = c ? lsrt_object_new(l, &tls_ops, &site, c->server ? "TLS server" : "TLS client") : NULL;
    if (!t) {
        int error = errno;
        if (c)
            context_unref(c);
        errno = error;
        return NULL;
    }
    t->context = c;
    return lsrt_object_handle(l, t);
}

int ls_tls_free(struct ls_tls *tls)
{
    struct loop *l = lsrt_on_loop("ls_tls_free");
    struct ls_tls_object *t = l ? lsrt_object_of(l, tls, &tls_ops, "ls_tls_free") : NULL;
    if (!t)
        return -1;
    lsrt_object_free(l, t);
    return 0;
}

/* Handshake. */

static bool is_address(const char *host)
{
    struct in6_addr a;
    return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

/* Whose certificate the peer must show. */
static bool expect(struct session *t, const char *host)
{
    if (t->context->server || !host)
        return true;
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) == 1;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS); /* "*.example.org", but not "w*.example.org" */
    return SSL_set_tlsext_host_name(t->ssl, host) == 1 && SSL_set1_host(t->ssl, host) == 1;
}

/* Puts the layer on the stream; 0 or errno, then nothing has changed. */
static int put_on(struct stream *s, struct context *c, const char *host)
{
    struct session *t = calloc(1, sizeof *t);
    if (!t)
        return ENOMEM;
    t->context = c;
    t->ssl = SSL_new(c->ssl);
    BIO *wire = t->ssl ? BIO_new(c->wire) : NULL;
    bool expected = wire && expect(t, host);
    if (!expected) {
        BIO_free(wire);
        SSL_free(t->ssl);
        free(t);
        ERR_clear_error();
        return wire ? lsrt_misuse(EINVAL, "ls_stream_tls: '%.40s' is no name of a host", host), EINVAL : ENOMEM;
    }
    BIO_set_data(wire, s);
    SSL_set_bio(t->ssl, wire, wire);
    if (c->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    c->refs++;
    t->ahead = s->in; /* never to be taken for what came protected */
    s->in = (struct buffer){ 0 };
    s->tls = t;
    s->layer = &layer;
    return 0;
}

static int shake_hands(struct loop *l, struct stream *s, struct ls_site *site, ls_ns deadline)
{
    struct session *t = s->tls;
    for (;;) {
        ERR_clear_error();
        int r = SSL_do_handshake(t->ssl);
        if (r == 1)
            break;
        int error = failure(s, r);
        if (error == EAGAIN && !(error = wait_wire(l, s, site, deadline)))
            continue;
        t->failed = true; /* half a handshake is of no use */
        error = error ? error : EPROTO;
        if (!s->read_error)
            s->read_error = EPROTO;
        return error;
    }
    const unsigned char *name;
    unsigned n;
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    if (n)
        memcpy(t->alpn, name, n);
    t->alpn[n] = 0;
    t->ready = true;
    ERR_clear_error();
    return 0;
}

int ls_stream_tls_at(struct ls_site *site, struct ls_stream *handle, struct ls_tls *tls, const char *host,
                     ls_ns deadline)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, true, "ls_stream_tls", &l);
    struct ls_tls_object *o = s ? lsrt_object_of(l, tls, &tls_ops, "ls_stream_tls") : NULL;
    if (!o)
        return -1;
    if (s->filing)
        return lsrt_misuse(EBUSY, "ls_stream_tls: somebody sends a file over stream '%s'", s->object.name);
    if (!o->context->server && !o->context->insecure && !host)
        return lsrt_misuse(EINVAL, "ls_stream_tls: a client must say whose certificate it expects (host)");
    if (s->layer || s->eof)
        return lsrt_misuse(EINVAL, "ls_stream_tls: stream '%s' %s", s->object.name,
                           s->layer ? "speaks TLS already" : "has been ended");
    if (lsrt_stream_enter(l, s))
        return lsrt_misuse(EBUSY, "ls_stream_tls: task '%s' reads stream '%s'", s->reader->name, s->object.name);
    int error = put_on(s, o->context, o->context->insecure && !host ? NULL : host);
    if (!error)
        error = shake_hands(l, s, site, deadline);
    lsrt_stream_exit(l, s);
    return lsrt_result(error);
}

const char *ls_stream_alpn(struct ls_stream *handle)
{
    struct loop *l;
    struct stream *s = lsrt_stream_of(handle, false, "ls_stream_alpn", &l);
    struct session *t = s && s->layer == &layer ? s->tls : NULL;
    return t && t->alpn[0] ? t->alpn : NULL;
}

#else

static int without(const char *call)
{
    return lsrt_misuse(ENOSYS, "%s: loopscope was built without OpenSSL", call);
}
struct ls_tls *ls_tls_new(const struct ls_tls_opts *opts)
{
    (void)opts;
    without("ls_tls_new");
    return NULL;
}
int ls_tls_free(struct ls_tls *tls)
{
    (void)tls;
    return without("ls_tls_free");
}
int ls_stream_tls_at(struct ls_site *site, struct ls_stream *s, struct ls_tls *tls, const char *host, ls_ns deadline)
{
    (void)site, (void)s, (void)tls, (void)host, (void)deadline;
    return without("ls_stream_tls");
}
const char *ls_stream_alpn(struct ls_stream *s)
{
    (void)s;
    without("ls_stream_alpn");
    return NULL;
}
#endif

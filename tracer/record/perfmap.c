/* perfmap.c - reads /tmp/perf-PID.map, from the process's own /tmp and under the pid it has there, as it grows.
 *
 * Code moves: the compiler writes a new line for a new place and never takes one back, so of several lines about an
 * address the last is right.  The file belongs to the target: it is opened only if it is a plain file, its size is
 * limited, and a line that makes no sense is skipped.  One thread. */
#include "perfmap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (256u << 20)
#define CHUNK    (256u << 10)

struct entry {
    uint64_t start, size;
    uint32_t name, length; /* in text */
};

struct perfmap {
    int fd;
    time_t tried; /* when it was last looked for */
    char *text; /* what was read so far */
    size_t n_text, text_room;
    size_t parsed; /* lines before this are in entry[] */
    struct entry *entry; /* as they stand in the file */
    size_t n, room;
};

struct perfmap *perfmap_new(void)
{
    struct perfmap *p = calloc(1, sizeof *p);
    if (p)
        p->fd = -1;
    return p;
}

void perfmap_free(struct perfmap *p)
{
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    free(p->text);
    free(p->entry);
    free(p);
}

/* One line "START SIZE NAME", numbers in hex without 0x (some write it all the same). */
static void parse_line(struct perfmap *p, size_t at, size_t length)
{
    const char *line = p->text + at;
    char *end;

    if (length < 5 || memchr(line, '\0', length))
        return;
    uint64_t start = strtoull(line, &end, 16); /* the text is terminated, so this ends at the line's end at the latest */
    if (end == line || *end != ' ')
        return;
    const char *number = end + 1;
    uint64_t size = strtoull(number, &end, 16);
    size_t name = (size_t)(end - line) + 1;
    if (end == number || *end != ' ' || name >= length || size == 0 || start + size < start)
        return;
    if (p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 1024;
        void *e = realloc(p->entry, room * sizeof *p->entry);
        if (!e)
            return;
        p->entry = e;
        p->room = room;
    }
    p->entry[p->n++] = (struct entry){ start, size, (uint32_t)(at + name), (uint32_t)(length - name) };
}

void perfmap_add(struct perfmap *p, const char *text, size_t length)
{
    if (length > TEXT_MAX - p->n_text)
        return;
    if (p->n_text + length + 1 > p->text_room) {
        size_t room = 2 * (p->n_text + length + 1);
        void *t = realloc(p->text, room);
        if (!t)
            return;
        p->text = t;
        p->text_room = room;
    }
    memcpy(p->text + p->n_text, text, length);
    p->n_text += length;
    p->text[p->n_text] = '\0';
    for (char *end; (end = memchr(p->text + p->parsed, '\n', p->n_text - p->parsed)) != NULL;) {
        size_t at = p->parsed, n = (size_t)(end - (p->text + at));
        p->parsed = at + n + 1;
        parse_line(p, at, n);
    }
}

/* The pid that the process has in its own namespace: the last one of NSpid. */
static pid_t own_pid(const struct module_map *map)
{
    char buf[4096];
    pid_t pid = module_map_pid(map);
    int fd = module_map_open_proc(map, "status", O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, buf, sizeof buf - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return pid;
    buf[n] = '\0';
    char *at = strstr(buf, "\nNSpid:");
    for (at = at ? at + 7 : NULL; at && (*at == '\t' || *at == ' ');)
        pid = (pid_t)strtol(at + 1, &at, 10);
    return pid > 0 ? pid : module_map_pid(map);
}

static void open_file(struct perfmap *p, const struct module_map *map)
{
    char name[64];
    struct stat st;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (p->tried == now.tv_sec + 1) /* most programs never write one */
        return;
    p->tried = now.tv_sec + 1; /* never 0 */
    snprintf(name, sizeof name, "root/tmp/perf-%d.map", (int)own_pid(map));
    p->fd = module_map_open_proc(map, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (p->fd < 0) { /* the process has gone, its file has not */
        snprintf(name, sizeof name, "/tmp/perf-%d.map", (int)module_map_pid(map));
        p->fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    if (p->fd >= 0 && (fstat(p->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(p->fd);
        p->fd = -1;
    }
}

static void read_more(struct perfmap *p, const struct module_map *map)
{
    if (p->fd < 0)
        open_file(p, map);
    char *chunk = p->fd >= 0 ? malloc(CHUNK) : NULL;
    while (chunk && p->n_text < TEXT_MAX - CHUNK) {
        ssize_t n = pread(p->fd, chunk, CHUNK, (off_t)p->n_text);
        if (n <= 0)
            break;
        perfmap_add(p, chunk, (size_t)n);
    }
    free(chunk);
}

bool perfmap_find(struct perfmap *p, const struct module_map *map, uint64_t address, const char **ret_text,
                  size_t *ret_length, uint64_t *ret_start)
{
    if (map)
        read_more(p, map);
    /* From the newest line back: no index, because a program asks for some hundreds of addresses in all. */
    for (size_t i = p->n; i-- > 0;)
        if (address - p->entry[i].start < p->entry[i].size) {
            *ret_text = p->text + p->entry[i].name;
            *ret_length = p->entry[i].length;
            *ret_start = p->entry[i].start;
            return true;
        }
    return false;
}

/* Names --------------------------------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from, size_t length)
{
    if (length >= size)
        length = size - 1;
    memcpy(to, from, length);
    to[length] = '\0';
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "foo /srv/app.js:12:3": the name may be missing, the path may have spaces. */
static void parse_js(const char *text, struct perfmap_name *n)
{
    static const char *const places[] = { " /", " node:", " file:", " [eval", " evalmachine", " wasm:" };
    const char *place = NULL;

    while (*text && strchr("*~^+'", *text))
        text++; /* which compiler made it */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *at = strstr(text, places[i]);
        if (at && (!place || at < place))
            place = at;
    }
    if (!place)
        place = strrchr(text, ' ');
    n->language = "js";
    copy_text(n->function, sizeof n->function, text, place ? (size_t)(place - text) : strlen(text));
    if (!n->function[0])
        strcpy(n->function, "(anonymous)");
    if (!place)
        return;
    const char *file = place + 1, *column = strrchr(file, ':'), *line = column;
    while (line && line > file && line[-1] != ':')
        line--;
    if (begins(file, "file://"))
        file += 7;
    if (line && line > file && line[0] >= '0' && line[0] <= '9') {
        n->line = (int)strtol(line, NULL, 10);
        copy_text(n->file, sizeof n->file, file, (size_t)(line - 1 - file));
    } else {
        copy_text(n->file, sizeof n->file, file, strlen(file));
    }
}

void perfmap_parse(const char *text, size_t length, struct perfmap_name *ret_name)
{
    static const char *const scripts[] = { "LazyCompile:", "Function:", "JS:", "Script:", "Eval:", "Callback:" };
    static const char *const engine[] = { "Builtin:", "BytecodeHandler:", "Bytecode", "Stub:", "Handler:", "RegExp:",
                                          "Builtins_", "CPUProfiler", "WasmToJS" };
    char all[1024];

    memset(ret_name, 0, sizeof *ret_name);
    copy_text(all, sizeof all, text, length);
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (begins(all, scripts[i])) {
            parse_js(all + strlen(scripts[i]), ret_name);
            return;
        }
    if (begins(all, "py::")) {
        const char *name = all + 4, *file = strchr(name, ':');
        ret_name->language = "python";
        copy_text(ret_name->function, sizeof ret_name->function, name, file ? (size_t)(file - name) : strlen(name));
        if (file)
            copy_text(ret_name->file, sizeof ret_name->file, file + 1, strlen(file + 1));
        return;
    }
    for (size_t i = 0; i < sizeof engine / sizeof *engine; i++)
        ret_name->machinery |= begins(all, engine[i]);
    copy_text(ret_name->function, sizeof ret_name->function, all, strlen(all));
}

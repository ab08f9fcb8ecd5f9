/* symbol.c - names an address: cache by (file, address), debuginfo for native code, the perf map for JIT code, and
 * whose code it is (noise.c).  Owns every string it returns.  One thread. */
#include "symbol.h"

#include <dlfcn.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debuginfo.h"
#include "noise.h"
#include "perfmap.h"

#define PROCESSES 64 /* with a perf map; more than that and the oldest is read again */

typedef char *demangle_function(const char *mangled, char *buffer, size_t *length, int *status);

struct cached {
    const struct module_file *file;
    uint64_t rel;
    int n;
    struct symbol symbol[];
};

struct jit {
    const struct module_map *map;
    pid_t pid;
    struct perfmap *perfmap;
};

struct symbolizer {
    void *strings; /* trees of tsearch(3) */
    void *cache;
    int next_jit;
    struct jit jit[PROCESSES];
    bool demangler_sought;
    demangle_function *demangle;
    void *libstdcxx;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int by_address(const void *x, const void *y)
{
    const struct cached *a = x, *b = y;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->rel != b->rel ? a->rel < b->rel ? -1 : 1 : 0;
}

/* One copy of each text, for as long as the symbolizer lives. */
static const char *intern(struct symbolizer *s, const char *text)
{
    if (!text || !text[0])
        return NULL;
    char *const *found = tfind(text, &s->strings, by_text);
    if (found)
        return *found;
    char *copy = strdup(text);
    found = copy ? tsearch(copy, &s->strings, by_text) : NULL;
    if (!found)
        free(copy);
    return found ? *found : NULL;
}

/* Names --------------------------------------------------------------------------------------------------------- */

/* Cuts what a reader of a report does not need: parameters and, of templates, the return type. */
static void shorten(char *name)
{
    static const char anonymous[] = "(anonymous namespace)";
    int depth = 0;
    char *begin = name, *end = NULL, *at = name;

    if (strstr(name, "operator"))  { /* "operator()", "operator<": brackets mean nothing here; cut only the last pair */
        char *open = strrchr(name, '(');
        if (open && open > name && strncmp(open - 8 > name ? open - 8 : name, "operator", 8) != 0)
            *open = '\0';
        return;
    }
    for (; *at && !end; at++) {
        if (!strncmp(at, anonymous, sizeof anonymous - 1)) {
            at += sizeof anonymous - 2;
        } else if (*at == '<' || *at == '{' || *at == '[') {
            depth++;
        } else if (*at == '>' || *at == '}' || *at == ']') {
            depth--;
        } else if (depth == 0 && *at == ' ') {
            begin = at + 1;
        } else if (depth == 0 && *at == '(') {
            end = at;
        }
    }
    if (end && end > begin) {
        *end = '\0';
        memmove(name, begin, strlen(begin) + 1);
    }
}

/* C++ names need libstdc++; it is asked for when the first one is met, and where it is missing they stay as they are. */
static char *demangled(struct symbolizer *s, const char *name)
{
    int status;

    if (!s->demangler_sought) {
        s->demangler_sought = true;
        s->libstdcxx = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
        if (s->libstdcxx)
            *(void **)&s->demangle = dlsym(s->libstdcxx, "__cxa_demangle");
    }
    /* its parser recurses: a hostile name must not be long */
    char *text = s->demangle && strlen(name) < 4096 ? s->demangle(name, NULL, NULL, &status) : NULL;
    if (text)
        shorten(text);
    return text;
}

/* As a programmer wrote it: "foo.constprop.0" and "foo@@VERSION" are foo. */
static const char *readable(struct symbolizer *s, const char *name)
{
    static const char *const clones[] = { ".constprop.", ".isra.", ".part.", ".cold", ".lto_priv.", ".llvm.", "@" };
    char buf[512];

    if (!name)
        return NULL;
    if (name[0] == '_' && name[1] == 'Z') {
        char *text = demangled(s, name);
        const char *kept = text ? intern(s, text) : NULL;
        free(text);
        if (kept)
            return kept;
    }
    snprintf(buf, sizeof buf, "%s", name);
    for (size_t i = 0; i < sizeof clones / sizeof *clones; i++) {
        char *at = strstr(buf + 1, clones[i]);
        if (at && buf[0])
            *at = '\0';
    }
    return intern(s, buf);
}

/* Code ---------------------------------------------------------------------------------------------------------- */

static int name_native(struct symbolizer *s, const struct module_map *map, struct module_file *file, uint64_t rel,
                       struct symbol *ret)
{
    struct debuginfo *d = module_file_debuginfo(file);
    struct debuginfo_level level[SYMBOL_INLINES];
    uint64_t entry = 0;
    /* Nobody debugs libc from a report, and unpacking its lines takes 40-90 ms: names do. */
    bool lines = d && noise_native(module_file_path(file), false, NULL) != FRAME_LIBC;
    int n = lines ? debuginfo_lines(d, rel, level, SYMBOL_INLINES) : 0;
    const char *symbol = d ? debuginfo_function(d, rel, &entry) : NULL;

    if (n == 0)
        level[n++] = (struct debuginfo_level){ 0 };
    if (symbol)
        level[n - 1].function = symbol;
    if (!entry)
        entry = module_file_function_start(file, rel);
    for (int i = 0; i < n; i++) {
        ret[i] = (struct symbol){ .function = readable(s, level[i].function),
                                  .file = intern(s, level[i].file),
                                  .line = level[i].file ? level[i].line : 0,
                                  .entry = entry,
                                  .language = "c" };
        ret[i].noise = noise_native(module_file_path(file), file == module_map_exe(map), ret[i].function);
        if (ret[i].noise == FRAME_USER && ret[i].file && !strncmp(ret[i].file, "/usr/include/", 13))
            ret[i].noise = FRAME_LIBRARY; /* of a C++ library's header, compiled into the program */
    }
    return n;
}

static struct perfmap *find_perfmap(struct symbolizer *s, const struct module_map *map)
{
    pid_t pid = module_map_pid(map);
    for (int i = 0; i < PROCESSES; i++)
        if (s->jit[i].perfmap && s->jit[i].map == map && s->jit[i].pid == pid)
            return s->jit[i].perfmap;
    struct jit *j = &s->jit[s->next_jit++ % PROCESSES];
    perfmap_free(j->perfmap);
    *j = (struct jit){ map, pid, perfmap_new() };
    return j->perfmap;
}

static void name_jit(struct symbolizer *s, const struct module_map *map, uint64_t address, struct symbol *ret)
{
    struct perfmap *p = find_perfmap(s, map);
    struct perfmap_name name;
    const char *text;
    size_t length;
    uint64_t start = 0;

    *ret = (struct symbol){ .noise = FRAME_RUNTIME };
    if (!p || !perfmap_find(p, map, address, &text, &length, &start))
        return;
    perfmap_parse(text, length, &name);
    ret->function = intern(s, name.function);
    ret->file = intern(s, name.file);
    ret->line = name.line;
    ret->language = name.language;
    ret->entry = start;
    ret->noise = name.machinery ? FRAME_RUNTIME : noise_jit(ret->function, ret->file, name.language);
}

int symbolize(struct symbolizer *s, struct module_map *map, uint64_t ip, bool exact,
              struct symbol ret[static SYMBOL_INLINES], struct module_ref *ret_ref)
{
    uint64_t address = exact ? ip : ip - 1;
    struct module_ref ref = module_map_find(map, address);
    struct cached key = { .file = ref.file, .rel = ref.rel };

    *ret_ref = ref;
    if (!ref.file) {
        name_jit(s, map, address, ret);
        return 1;
    }
    struct cached *const *found = tfind(&key, &s->cache, by_address);
    if (found) {
        memcpy(ret, (*found)->symbol, (size_t)(*found)->n * sizeof *ret);
        return (*found)->n;
    }
    int n = name_native(s, map, ref.file, ref.rel, ret);
    struct cached *c = malloc(sizeof *c + (size_t)n * sizeof *ret);
    if (c) {
        *c = (struct cached){ .file = ref.file, .rel = ref.rel, .n = n };
        memcpy(c->symbol, ret, (size_t)n * sizeof *ret);
        if (!tsearch(c, &s->cache, by_address))
            free(c);
    }
    return n;
}

struct symbolizer *symbolizer_new(void)
{
    unsetenv("DEBUGINFOD_URLS");
    return calloc(1, sizeof(struct symbolizer));
}

void symbolizer_free(struct symbolizer *s)
{
    if (!s)
        return;
    tdestroy(s->strings, free);
    tdestroy(s->cache, free);
    for (int i = 0; i < PROCESSES; i++)
        perfmap_free(s->jit[i].perfmap);
    if (s->libstdcxx)
        dlclose(s->libstdcxx);
    free(s);
}

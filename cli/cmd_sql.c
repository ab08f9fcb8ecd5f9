/* cmd_sql.c - `loopscope sql [FILE] [QUERY]`: the user's own question, or the real sqlite3 shell on the trace. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "viewer/human.h"
#include "viewer/query_sql.h"

/* Aligned output looks at this many rows before it knows how wide the columns are; later rows keep the widths. */
enum { LOOK_AHEAD = 1000, WIDEST = 60 };

struct sql_values {
    bool header;
};

struct table {
    bool aligned, header;
    int n;       /* columns */
    int *width;  /* of each column, aligned only */
    char **held; /* LOOK_AHEAD rows of n cells that wait for the widths; a number begins with '#', a text with '\'' */
    int held_rows;
    bool failed; /* out of memory */
};

/* A cell is one line and cannot talk to the terminal: tab, newline, backslash and the like as in C. */
static void put_escaped(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        switch (c) {
        case '\t': fputs("\\t", stdout); break;
        case '\n': fputs("\\n", stdout); break;
        case '\r': fputs("\\r", stdout); break;
        case '\\': fputs("\\\\", stdout); break;
        default:
            if (c < 0x20 || c == 0x7f)
                printf("\\x%02x", c);
            else
                putchar(c);
        }
    }
}

static void put_padded(const char *text, int width, bool right, bool last)
{
    int pad = width - human_width(text);

    if (right)
        printf("%*s", pad > 0 ? pad : 0, "");
    put_escaped(text);
    if (!right && !last)
        printf("%*s", pad > 0 ? pad : 0, "");
    fputs(last ? "\n" : "  ", stdout);
}

/* Prints what was held back; from now on the widths are fixed. */
static void flush_held(struct table *t)
{
    if (!t->held)
        return;
    for (int i = 0; i < t->held_rows * t->n; i++) {
        int column = i % t->n;
        put_padded(t->held[i] + 1, t->width[column], t->held[i][0] == '#', column == t->n - 1);
        free(t->held[i]);
    }
    free(t->held);
    t->held = NULL;
}

static void end_table(struct table *t)
{
    flush_held(t);
    free(t->width);
    t->width = NULL;
}

static bool hold(struct table *t, int n, const struct sql_cell *cells)
{
    char **row = t->held + t->held_rows * t->n;

    for (int i = 0; i < n; i++) {
        const char *text = cells[i].text ? cells[i].text : "";
        int width = human_width(text);
        if (width > t->width[i])
            t->width[i] = width < WIDEST ? width : WIDEST;
        if (asprintf(&row[i], "%c%s", cells[i].number ? '#' : '\'', text) < 0) {
            while (i-- > 0)
                free(row[i]);
            t->failed = true;
            return false;
        }
    }
    if (++t->held_rows == LOOK_AHEAD)
        flush_held(t);
    return true;
}

static bool on_row(void *ctx, int n, const struct sql_cell *cells)
{
    struct table *t = ctx;

    if (t->held)
        return hold(t, n, cells);
    for (int i = 0; i < n; i++) {
        const char *text = cells[i].text ? cells[i].text : "";
        if (t->aligned) {
            put_padded(text, t->width[i], cells[i].number, i == n - 1);
            continue;
        }
        put_escaped(text);
        putchar(i == n - 1 ? '\n' : '\t');
    }
    return !ferror(stdout);
}

static bool on_columns(void *ctx, int n, const char *const *names)
{
    struct table *t = ctx;

    end_table(t);
    t->n = n;
    t->held_rows = 0;
    if (t->aligned) {
        t->width = calloc((size_t)n, sizeof *t->width);
        t->held = calloc((size_t)n * LOOK_AHEAD, sizeof *t->held);
        t->failed = !t->width || !t->held;
        if (t->failed)
            return false;
    }
    for (int i = 0; t->header && i < n; i++) {
        struct sql_cell name = { names[i], false };
        if (!t->aligned)
            printf("%s%c", names[i], i == n - 1 ? '\n' : '\t');
        else if (human_width(name.text) > t->width[i])
            t->width[i] = human_width(name.text);
    }
    if (t->header && t->aligned) {
        struct sql_cell *cells = calloc((size_t)n, sizeof *cells);
        for (int i = 0; cells && i < n; i++)
            cells[i].text = names[i];
        t->failed = !cells || !hold(t, n, cells);
        free(cells);
    }
    return !t->failed;
}

static int run_query(struct trace *trace, const char *sql, bool header)
{
    bool terminal = isatty(STDOUT_FILENO);
    struct table table = { .aligned = terminal, .header = terminal || header };
    struct sql_reader reader = { &table, on_columns, on_row };
    char error[512];
    int r = query_sql(trace, sql, &reader, error, sizeof error);

    end_table(&table);
    if (table.failed)
        return complain(2, "sql: out of memory");
    return r < 0 ? complain(2, "sql: %s", error) : 0;
}

static int run_shell(const char *path)
{
    /* A file named like an option of sqlite3 */
    char *file = NULL;

    if (asprintf(&file, "%s%s", *path == '-' ? "./" : "", path) < 0)
        return complain(2, "sql: out of memory");
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        execlp("sqlite3", "sqlite3", "-readonly", "-box", file, (char *)NULL);
    else
        execlp("sqlite3", "sqlite3", "-readonly", file, (char *)NULL);
    free(file);
    if (errno == ENOENT)
        return complain(2, "sql: the sqlite3 shell is not installed; `apt install sqlite3`, or give the QUERY here");
    return complain(2, "sql: sqlite3: %s", strerror(errno));
}

static int run(const void *values, int argc, char **argv)
{
    const struct sql_values *v = values;
    const char *path = "loopscope.db", *sql = argc == 2 ? argv[1] : NULL;
    struct trace *trace;
    char error[512];
    int code;

    /* One argument is a file, unless it can only be a query. */
    if (argc == 1 && strchr(argv[0], ' ') && access(argv[0], F_OK) != 0)
        sql = argv[0];
    else if (argc > 0)
        path = argv[0];
    if (trace_open(path, TRACE_AS_IS, &trace, error, sizeof error) < 0)
        return complain(2, "sql: %s", error);
    code = sql ? run_query(trace, sql, v->header) : 0;
    trace_close(trace);
    return sql ? code : run_shell(path);
}

static const struct option options[] = {
    { "header", 'H', OPT_FLAG, offsetof(struct sql_values, header), NULL, "names of the columns first, also in a pipe",
      NULL },
    { NULL, 0, OPT_FLAG, 0, NULL, NULL, NULL },
};

const struct command cmd_sql = {
    .name = "sql",
    .args = "[FILE] [QUERY]",
    .summary = "ask the trace in SQL, or open it in the sqlite3 shell",
    .about = "With QUERY the rows go to stdout: aligned on a terminal, else separated by tabs.\n"
             "Without it the sqlite3 shell opens the trace.  Either way the file cannot be changed.\n\n"
             "  loopscope sql 'SELECT * FROM stall_place'\n"
             "  loopscope sql t.db 'SELECT name, run FROM task ORDER BY queue DESC LIMIT 5'",
    .options = options,
    .values_size = sizeof(struct sql_values),
    .run = run,
    .max_args = 2,
    .usage_exit = 2,
};

/* page.h - text for people, laid out on a page: sentences that wrap, lists that flow, tables whose columns fit.  ASCII of
 * our own, so that it reads the same over any terminal and in any mail. */
#ifndef LOOPSCOPE_PAGE_H
#define LOOPSCOPE_PAGE_H

#include <stdbool.h>
#include <stdio.h>

struct page {
    FILE *f;
    int width;   /* columns to fit into */
    bool colour;
};

enum role { PLAIN, TITLE, BAD, CAUSE, FAINT };

/* What switches a role on and off: "" on a page without colour. */
const char *page_on(const struct page *p, enum role role);
const char *page_off(const struct page *p, enum role role);

/* Pieces laid out from column `indent` on, as many on a line as fit, `between` them; a piece is never broken unless
 * it is longer than a line (then it is cut in place).  At most max_lines; what does not fit is said to be missing by "..". */
void page_flow(const struct page *p, int indent, char *const *pieces, int n, const char *between, int max_lines,
               enum role role);

/* A sentence after `lead`, wrapped between words; the lines after the first begin at `hang`. */
void page_paragraph(const struct page *p, const char *lead, int hang, const char *text, enum role role);

/* A table: the first column gives way when the page is narrow.  table_cell writes into row t->rows, which the caller
 * counts up, `rows` times at most; table_print frees it. */
enum { COLUMNS = 11, CELL = 160 };
struct table {
    int columns, rows;
    int soft; /* one more column of text that may be cut, 0: none */
    const char *title[COLUMNS];
    bool left[COLUMNS];
    char (*cells)[COLUMNS][CELL];
};
int table_make(struct table *t, int rows, int columns, const char *const *titles, unsigned left_mask); /* 0 or -ENOMEM */
void table_cell(struct table *t, int column, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(const struct page *p, struct table *t);

#endif

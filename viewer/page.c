/* page.c - laying text out on a page of so many columns: what report, tasks and tree share.  See page.h. */
#include "page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"

const char *page_on(const struct page *p, enum role role)
{
    static const char *const codes[] = { "", "\033[1m", "\033[1;31m", "\033[33m", "\033[2m" };
    return p->colour ? codes[role] : "";
}

const char *page_off(const struct page *p, enum role role)
{
    return p->colour && role != PLAIN ? "\033[0m" : "";
}

void page_flow(const struct page *p, int indent, char *const *pieces, int n, const char *between, int max_lines,
               enum role role)
{
    int column = indent, room = p->width - indent, lines = 1, gap = human_width(between);
    for (int i = 0; i < n; i++)
        human_clean(pieces[i], pieces[i], (int)strlen(pieces[i]) + 1); /* a cut may have split a character */
    fprintf(p->f, "%*s%s", indent, "", page_on(p, role));
    for (int i = 0; i < n; i++) {
        human_cut(pieces[i], room - (i + 1 < n ? gap : 0));
        int need = human_width(pieces[i]) + (i + 1 < n ? gap - (between[gap - 1] == ' ') : 0);
        bool last_line = lines == max_lines, more = i + 1 < n;
        if (i > 0 && column + need + (last_line && more ? gap + 2 : 0) > p->width) {
            if (last_line) {
                fputs("..", p->f);
                break;
            }
            fprintf(p->f, "\n%*s", indent, "");
            column = indent;
            lines++;
        }
        fprintf(p->f, "%s", pieces[i]);
        column += human_width(pieces[i]);
        if (more) {
            /* A separator at the end of a line keeps no blank behind it. */
            int next = human_width(pieces[i + 1]) < room ? human_width(pieces[i + 1]) : room;
            bool wraps = column + gap + next + (i + 2 < n ? gap - 1 : 0) > p->width && lines < max_lines;
            int keep = wraps && between[gap - 1] == ' ' ? gap - 1 : gap;
            fprintf(p->f, "%.*s", keep, between);
            column += gap;
        }
    }
    fprintf(p->f, "%s\n", page_off(p, role));
}

void page_paragraph(const struct page *p, const char *lead, int hang, const char *text, enum role role)
{
    int column = human_width(lead);
    fprintf(p->f, "%s%s", lead, page_on(p, role));
    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");
        char copy[512];
        snprintf(copy, sizeof copy, "%.*s", length, word);
        human_clean(copy, copy, sizeof copy);
        human_cut(copy, p->width - hang);
        int width = human_width(copy);
        if (word != text && column + 1 + width > p->width) {
            fprintf(p->f, "\n%*s", hang, "");
            column = hang;
        } else if (word != text) {
            fputc(' ', p->f);
            column++;
        }
        fputs(copy, p->f);
        column += width;
        word += length;
        word += strspn(word, " ");
    }
    fprintf(p->f, "%s\n", page_off(p, role));
}

/* --- tables: the first column gives way when the page is narrow --------------------------------------------------- */

int table_make(struct table *t, int rows, int columns, const char *const *titles, unsigned left_mask)
{
    *t = (struct table){ .columns = columns };
    for (int c = 0; c < columns; c++) {
        t->title[c] = titles[c];
        t->left[c] = left_mask >> c & 1;
    }
    t->cells = calloc((size_t)rows + 1, sizeof *t->cells);
    return t->cells ? 0 : -ENOMEM;
}

void table_cell(struct table *t, int column, const char *format, ...)
{
    char raw[CELL];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    human_clean(raw, t->cells[t->rows][column], CELL); /* a cut may have split a character */
}

static void print_cell(const struct page *p, const char *text, int width, bool left, bool last)
{
    int pad = width - human_width(text);
    pad = pad > 0 ? pad : 0;
    if (left)
        fprintf(p->f, "%s%*s", text, last ? 0 : pad, "");
    else
        fprintf(p->f, "%*s%s", pad, "", text);
}

void table_print(const struct page *p, struct table *t)
{
    int width[COLUMNS], total = 0;
    for (int c = 0; c < t->columns; c++) {
        width[c] = human_width(t->title[c]);
        for (int r = 0; r < t->rows; r++) {
            int w = human_width(t->cells[r][c]);
            width[c] = w > width[c] ? w : width[c];
        }
        total += width[c] + (c ? 2 : 1);
    }
    /* Too wide: the first column (a name) gives, then the last (a place in the code), then what else is a name; when
     * that is not enough the last columns are left out. */
    const int plain[] = { 0, t->columns - 1, 1, 0 }, soft[] = { 0, t->columns - 1, t->soft, 0 };
    const int floors[][4] = { { 34, 20, 6, 16 }, { 34, 20, 30, 16 } };
    for (int i = 0; i < 4 && total > p->width; i++) {
        int c = t->soft ? soft[i] : plain[i], least = floors[t->soft > 0][i], less = total - p->width;
        if (!t->left[c] || width[c] <= least)
            continue;
        less = less < width[c] - least ? less : width[c] - least;
        width[c] -= less;
        total -= less;
    }
    for (; total > p->width && t->columns > 2; t->columns--)
        total -= width[t->columns - 1] + 2;
    for (int r = -1; r < t->rows; r++) {
        fprintf(p->f, "%s%s", page_on(p, r < 0 ? TITLE : PLAIN), r < 0 ? "" : " ");
        for (int c = 0; c < t->columns; c++) {
            char text[CELL];
            snprintf(text, sizeof text, "%s", r < 0 ? t->title[c] : t->cells[r][c]);
            human_cut(text, width[c]);
            /* The title of the first column starts one column further left than what is under it. */
            bool last = c + 1 == t->columns || (c + 2 == t->columns && r >= 0 && !*t->cells[r][c + 1]);
            print_cell(p, text, width[c] + (r < 0 && c == 0), t->left[c], last && t->left[c]);
            if (last)
                break;
            fputs("  ", p->f);
        }
        fprintf(p->f, "%s\n", page_off(p, r < 0 ? TITLE : PLAIN));
    }
    free(t->cells);
}

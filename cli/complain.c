/* complain.c - the one way a command speaks to stderr: one line, safe to show on a terminal. */
#include <stdarg.h>
#include <stdio.h>

#include "command.h"

/* File names and options come from outside: an escape sequence in one must not reach the terminal. */
static size_t escape(const char *text, char *ret_line, size_t size)
{
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p && n + 5 < size; p++) {
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) /* C0, DEL, C1 in UTF-8 */
            n += (size_t)snprintf(ret_line + n, size - n, "\\x%02x", *p);
        else
            ret_line[n++] = (char)*p;
    }
    ret_line[n] = 0;
    return n;
}

int complain(int code, const char *format, ...)
{
    char text[2048], line[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    escape(text, line, sizeof line);
    fflush(stdout); /* what was said before comes before */
    fprintf(stderr, "loopscope: %s\n", line);
    return code;
}

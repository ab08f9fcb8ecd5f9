/* stdio.c - buffered files.  The C library's own reads and writes inside cannot be wrapped, so these are. */
#ifndef __NO_INLINE__ /* stdio.h must not define vprintf and getline inline: we define them */
#define __NO_INLINE__ 1
#endif
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "wrap.h"

#define FILE_CALL(type, name, params, args, nr) TIMED(type, name, params, args, nr, 0, INFO_NONE)

FILE_CALL(size_t, fread, (void *buf, size_t size, size_t n, FILE *f), (buf, size, n, f), fread)
size_t __fread_chk(void *buf, size_t room, size_t size, size_t n, FILE *f);
FILE_CALL(size_t, __fread_chk, (void *buf, size_t room, size_t size, size_t n, FILE *f), (buf, room, size, n, f), fread)
FILE_CALL(size_t, fwrite, (const void *buf, size_t size, size_t n, FILE *f), (buf, size, n, f), fwrite)
FILE_CALL(char *, fgets, (char *buf, int n, FILE *f), (buf, n, f), fgets)
char *__fgets_chk(char *buf, size_t room, int n, FILE *f);
FILE_CALL(char *, __fgets_chk, (char *buf, size_t room, int n, FILE *f), (buf, room, n, f), fgets)
FILE_CALL(int, fputs, (const char *text, FILE *f), (text, f), fputs)
FILE_CALL(int, puts, (const char *text), (text), puts)
FILE_CALL(int, fflush, (FILE * f), (f), fflush)
FILE_CALL(int, fclose, (FILE * f), (f), fclose)
TIMED(FILE *, fopen, (const char *path, const char *mode), (path, mode), fopen, 0, INFO_PATH(path))
TIMED(FILE *, fopen64, (const char *path, const char *mode), (path, mode), fopen, 0, INFO_PATH(path))
FILE_CALL(ssize_t, getline, (char **line, size_t *n, FILE *f), (line, n, f), getline)
FILE_CALL(ssize_t, getdelim, (char **line, size_t *n, int end, FILE *f), (line, n, end, f), getdelim)
ssize_t __getdelim(char **line, size_t *n, int end, FILE *f);
FILE_CALL(ssize_t, __getdelim, (char **line, size_t *n, int end, FILE *f), (line, n, end, f), getdelim)
FILE_CALL(int, fgetc, (FILE * f), (f), fgetc)
FILE_CALL(int, getc, (FILE * f), (f), getc)
int _IO_getc(FILE *f);
FILE_CALL(int, _IO_getc, (FILE * f), (f), getc)
FILE_CALL(int, fseek, (FILE * f, long at, int from), (f, at, from), fseek)
FILE_CALL(int, fseeko, (FILE * f, off_t at, int from), (f, at, from), fseek)
FILE_CALL(int, fseeko64, (FILE * f, off64_t at, int from), (f, at, from), fseek)

FILE_CALL(int, vfprintf, (FILE * f, const char *format, va_list list), (f, format, list), vfprintf)
int __vfprintf_chk(FILE *f, int flag, const char *format, va_list list);
FILE_CALL(int, __vfprintf_chk, (FILE * f, int flag, const char *format, va_list list), (f, flag, format, list),
          vfprintf)
FILE_CALL(int, vprintf, (const char *format, va_list list), (format, list), vprintf)
int __vprintf_chk(int flag, const char *format, va_list list);
FILE_CALL(int, __vprintf_chk, (int flag, const char *format, va_list list), (flag, format, list), vprintf)

/* The variadic ones go on to the C library's v-forms, which is all that they are there too. */
#define PRINT(nr, real, ...)                                                                                         \
    {                                                                                                                \
        struct call call;                                                                                            \
        va_list list;                                                                                                \
        bool on = call_begin(&call, CALL_##nr, 0);                                                                   \
        va_start(list, format);                                                                                      \
        int result = REAL(real)(__VA_ARGS__, list);                                                                  \
        va_end(list);                                                                                                \
        if (on)                                                                                                      \
            call_end(&call, CALL_##nr, result, &(const struct call_info){ INFO_NONE }, __builtin_return_address(0)); \
        return result;                                                                                               \
    }
EXPORT int fprintf(FILE *f, const char *format, ...)
    PRINT(fprintf, vfprintf, f, format) int __fprintf_chk(FILE *f, int flag, const char *format, ...);
EXPORT int __fprintf_chk(FILE *f, int flag, const char *format, ...)
    PRINT(fprintf, __vfprintf_chk, f, flag, format) EXPORT int printf(const char *format, ...)
        PRINT(printf, vprintf, format) int __printf_chk(int flag, const char *format, ...);
EXPORT int __printf_chk(int flag, const char *format, ...) PRINT(printf, __vprintf_chk, flag, format)

/* The log is a socket: a daemon that does not read stops whoever writes. */
#define LOGGED(nr, ...)                                                                                         \
    {                                                                                                           \
        struct call call;                                                                                       \
        bool on = call_begin(&call, CALL_##nr, 0);                                                              \
        __VA_ARGS__;                                                                                            \
        if (on)                                                                                                 \
            call_end(&call, CALL_##nr, 0, &(const struct call_info){ INFO_NONE }, __builtin_return_address(0)); \
    }
#define LOG_LIST(...)       \
    va_list list;           \
    va_start(list, format); \
    __VA_ARGS__;            \
    va_end(list)
    void __syslog_chk(int priority, int flag, const char *format, ...);
void __vsyslog_chk(int priority, int flag, const char *format, va_list list);
EXPORT void syslog(int priority, const char *format, ...)
    LOGGED(syslog, LOG_LIST(REAL(vsyslog)(priority, format, list))) EXPORT
    void __syslog_chk(int priority, int flag, const char *format, ...)
        LOGGED(syslog, LOG_LIST(REAL(__vsyslog_chk)(priority, flag, format, list))) EXPORT
    void vsyslog(int priority, const char *format, va_list list)
        LOGGED(vsyslog, REAL(vsyslog)(priority, format, list)) EXPORT
    void __vsyslog_chk(int priority, int flag, const char *format, va_list list)
        LOGGED(vsyslog, REAL(__vsyslog_chk)(priority, flag, format, list))

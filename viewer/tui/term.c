/* term.c - the terminal, over ncurses.  Owns the screen, the terminal's modes and the signals that end the viewer;
 * one thread.  The terminal comes back as it was on every way out: a return, SIGTERM, a crash, ^Z and fg. */
#include "term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "keys.h"
#include "text.h"

enum { ESCAPE_DELAY = 25, RESTORE_SIZE = 256, TEXT_PUT_MAX = 2048, CRASH_STACK = 16384 };

static const struct glyphs utf8_glyphs = {
    .run = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
    .stall = "█",
    .stall_start = "!",
    .gap = "?",
    .ready = "░",
    .lock = "~",
    .io = "─",
    .timer = "┄",
    .born = "├",
    .ended = "┤",
    .cursor = "▼",
    .mark = "◆",
    .bar = "│",
    .tick = "╷",
    .rule = "─",
    .called_by = " ← ",
    .cut = "…",
    .to = " … ",
    .unknown = "·",
    .micro = "µ",
};
static const struct glyphs ascii_glyphs = {
    .run = { " ", ".", ".", ".", "o", "o", "o", "#", "#" },
    .stall = "X",
    .stall_start = "!",
    .gap = "?",
    .ready = "=",
    .lock = "~",
    .io = "-",
    .timer = ":",
    .born = "|",
    .ended = "|",
    .cursor = "v",
    .mark = "*",
    .bar = "|",
    .tick = "|",
    .rule = "-",
    .called_by = " < ",
    .cut = "~",
    .to = " .. ",
    .unknown = ".",
    .micro = "u",
    .ascii = true,
};

/* Colours from a set that can be told apart with red-green blindness (Okabe-Ito); the shape says it anyway. */
static const struct {
    char letter;
    const char *name;
    short many, few;    /* of 256 colours, of 8; -1 = the terminal's own */
    attr_t color, mono; /* attributes beside the colour, and without one */
} roles[ROLES] = {
    [ROLE_NONE] = { '.', "none", -1, -1, 0, 0 },
    [ROLE_TITLE] = { 't', "title", -1, -1, A_BOLD, A_BOLD },
    [ROLE_TAB] = { 'b', "tab", -1, -1, 0, 0 },
    [ROLE_TAB_ON] = { 'B', "tab on", -1, -1, A_REVERSE, A_REVERSE },
    [ROLE_AXIS] = { 'a', "axis", 245, -1, 0, 0 },
    [ROLE_LABEL] = { 'l', "label", -1, -1, 0, 0 },
    [ROLE_LABEL_DIM] = { 'd', "label dim", 245, -1, 0, 0 },
    [ROLE_VALUE] = { 'v', "value", -1, -1, 0, 0 },
    [ROLE_WARN] = { 'w', "warn", 202, COLOR_RED, A_BOLD, A_BOLD },
    [ROLE_SELECTED] = { 's', "selected", -1, -1, A_REVERSE, A_REVERSE },
    [ROLE_HINT_KEY] = { 'k', "hint key", -1, -1, A_BOLD, A_BOLD },
    [ROLE_HINT_TEXT] = { 'h', "hint text", 245, -1, 0, 0 },
    [ROLE_LOST] = { 'L', "lost", 202, COLOR_RED, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD },
    [ROLE_RUN] = { 'R', "running", 33, COLOR_BLUE, 0, 0 },
    [ROLE_STALL] = { 'X', "stall", 202, COLOR_RED, A_BOLD, A_REVERSE | A_BOLD },
    [ROLE_READY] = { 'Y', "ready", 220, COLOR_YELLOW, 0, A_BOLD },
    [ROLE_LOCK] = { 'K', "waits for lock", 170, COLOR_MAGENTA, 0, A_UNDERLINE },
    [ROLE_IO] = { 'I', "waits for I/O", 245, -1, 0, A_DIM },
    [ROLE_TIMER] = { 'T', "waits for timer", 240, -1, A_DIM, A_DIM },
    [ROLE_EDGE] = { 'E', "born, ended", -1, -1, 0, 0 },
    [ROLE_MARK] = { 'm', "mark", 231, COLOR_WHITE, A_BOLD, A_BOLD },
    [ROLE_UNKNOWN] = { 'u', "not drawn yet", 240, -1, A_DIM, A_DIM },
};

/* The terminal's screen: there is one in a process, and signal handlers have to find it. */
static struct {
    SCREEN *screen;
    struct glyphs glyphs;
    bool mono;
    attr_t attributes[ROLES];
    FILE *script, *null_in, *null_out;
    char *shadow; /* the role letter of each cell, for :save-screen */
    int shadow_w, shadow_h;
    bool over; /* the script, or the terminal, is at its end */
    volatile sig_atomic_t signal;
    sigset_t while_waiting;     /* the mask under which signals may come in */
    struct termios modes;       /* as we found them */
    char restore[RESTORE_SIZE]; /* what gives the screen back, for a crash */
    size_t restore_size;
    char crash_stack[CRASH_STACK];
} term;

static void on_leave(int sig)
{
    term.signal = sig;
}

/* Only what is safe in a signal handler. */
static void on_crash(int sig)
{
    ssize_t ignored = write(STDOUT_FILENO, term.restore, term.restore_size);
    (void)ignored;
    tcsetattr(STDIN_FILENO, TCSANOW, &term.modes);
    raise(sig); /* the handler was reset: this one ends us, with the status it should have */
}

/* Appends a terminal string without its $<padding>. */
static void append_capability(const char *name)
{
    const char *s = tigetstr(name);

    if (!s || s == (char *)-1)
        return;
    while (*s && term.restore_size < RESTORE_SIZE) {
        const char *end = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL;
        if (end)
            s = end + 1;
        else
            term.restore[term.restore_size++] = *s++;
    }
}

static void catch_signals(void)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    static const int leaves[] = { SIGTERM, SIGHUP, SIGINT };
    stack_t alternate = { .ss_sp = term.crash_stack, .ss_size = sizeof term.crash_stack };
    struct sigaction crash = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND | SA_NODEFER };
    struct sigaction leave = { .sa_handler = on_leave };
    sigset_t block;

    append_capability("sgr0");
    append_capability("rmkx");
    append_capability("cnorm");
    append_capability("rmcup");
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigaction(crashes[i], &crash, NULL);
    /* These come in only while we wait for a key, so that none is missed between a look and the wait. */
    sigemptyset(&block);
    sigaddset(&block, SIGWINCH);
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        sigaction(leaves[i], &leave, NULL);
        sigaddset(&block, leaves[i]);
    }
    sigprocmask(SIG_BLOCK, &block, &term.while_waiting);
    sigdelset(&term.while_waiting, SIGWINCH);
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        sigdelset(&term.while_waiting, leaves[i]);
}

static void choose_colors(const char *wanted)
{
    const char *no = getenv("NO_COLOR");
    int colors = 0;

    if (strcmp(wanted, "never") != 0 && !(no && *no && strcmp(wanted, "auto") == 0) && has_colors() &&
        start_color() == OK) {
        use_default_colors();
        colors = COLORS >= 256 && strcmp(wanted, "8") != 0 ? 256 : COLORS >= 8 ? 8 : 0;
    }
    term.mono = colors == 0;
    for (short r = 0; r < ROLES; r++) {
        term.attributes[r] = colors ? roles[r].color : roles[r].mono;
        if (colors && init_pair((short)(r + 1), colors == 256 ? roles[r].many : roles[r].few, -1) == OK)
            term.attributes[r] |= (attr_t)COLOR_PAIR(r + 1);
    }
}

static bool can_utf8(const char *type)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 && wcwidth(L'█') == 1 && strcmp(type, "dumb") != 0 &&
           strcmp(type, "linux") != 0; /* the console's font has 256 glyphs */
}

int term_open(const struct term_options *options, char *ret_error, size_t error_size)
{
    const char *type = getenv("TERM"), *script = getenv("LOOPSCOPE_SCRIPT");
    FILE *in = stdin, *out = stdout;

    setlocale(LC_ALL, "");
    type = type && *type ? type : "dumb";
    if (script && *script) {
        term.script = fopen(script, "re");
        in = term.null_in = fopen("/dev/null", "re");
        out = term.null_out = fopen("/dev/null", "we");
        if (!term.script || !in || !out) {
            snprintf(ret_error, error_size, "%s: %s", script, strerror(errno));
            return -1;
        }
    } else if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        snprintf(ret_error, error_size, "not a terminal; `loopscope report` writes text");
        return -1;
    } else {
        tcgetattr(STDIN_FILENO, &term.modes);
    }

    set_escdelay(ESCAPE_DELAY);
    term.screen = newterm(type, out, in);
    if (!term.screen || (!term.script && !tigetstr("cup"))) {
        bool known = term.screen;
        term_close();
        snprintf(ret_error, error_size, "TERM=%s: %s; set TERM, or use `loopscope report`", type,
                 known ? "such a terminal cannot place text on its screen" : "no such terminal is known here");
        return -1;
    }
    choose_colors(options->color ? options->color : "auto");
    term.glyphs = options->ascii || !can_utf8(type) ? ascii_glyphs : utf8_glyphs;
    if (term.mono)
        term.glyphs.stall = ascii_glyphs.stall; /* a full block in reverse video is a hole */
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (!term.script)
        catch_signals();
    return 0;
}

void term_close(void)
{
    if (term.screen) {
        endwin();
        delscreen(term.screen);
    }
    if (term.script)
        fclose(term.script);
    if (term.null_in)
        fclose(term.null_in);
    if (term.null_out)
        fclose(term.null_out);
    free(term.shadow);
    term.shadow = NULL;
    term.screen = NULL;
}

const struct glyphs *term_glyphs(void)
{
    return &term.glyphs;
}

void term_size(int *ret_w, int *ret_h)
{
    getmaxyx(stdscr, *ret_h, *ret_w);
}

bool term_scripted(void)
{
    return term.script;
}

bool term_leaving(void)
{
    return term.over || term.signal;
}

int term_signal(void)
{
    return term.signal;
}

bool term_impatient(void)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    sigset_t waiting;

    if (term.script)
        return false;
    sigpending(&waiting);
    return sigismember(&waiting, SIGTERM) || sigismember(&waiting, SIGHUP) || sigismember(&waiting, SIGINT) ||
           sigismember(&waiting, SIGWINCH) || poll(&in, 1, 0) > 0;
}

static int translate(int key)
{
    static const struct {
        int curses, ours;
    } table[] = {
        { KEY_LEFT, KEY_ARROW_LEFT }, { KEY_RIGHT, KEY_ARROW_RIGHT }, { KEY_UP, KEY_ARROW_UP },
        { KEY_DOWN, KEY_ARROW_DOWN }, { KEY_SLEFT, KEY_SHIFT_LEFT },  { KEY_SRIGHT, KEY_SHIFT_RIGHT },
        { KEY_PPAGE, KEY_PAGE_UP },   { KEY_NPAGE, KEY_PAGE_DOWN },   { KEY_HOME, KEY_TO_HOME },
        { KEY_END, KEY_TO_END },      { KEY_BACKSPACE, KEY_RUBOUT },  { KEY_F(1), KEY_FUNCTION_1 },
        { KEY_RESIZE, KEY_RESIZED },  { KEY_ENTER, KEY_RETURN },      { '\n', KEY_RETURN },
        { 0x7f, KEY_RUBOUT },         { '\b', KEY_RUBOUT },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].curses == key)
            return table[i].ours;
    return key > 0 && key < KEY_MIN ? key : KEY_NOTHING;
}

static void describe_role(FILE *f, int role)
{
    static const struct {
        attr_t bit;
        const char *name;
    } names[] = { { A_BOLD, " bold" }, { A_REVERSE, " reverse" }, { A_UNDERLINE, " underline" }, { A_DIM, " dim" } };
    attr_t a = term.attributes[role];
    short foreground = -1, background = -1;

    if (PAIR_NUMBER(a))
        pair_content((short)PAIR_NUMBER(a), &foreground, &background);
    fprintf(f, "%c %s:", roles[role].letter, roles[role].name);
    if (foreground >= 0)
        fprintf(f, " colour %d", foreground);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (a & names[i].bit)
            fputs(names[i].name, f);
    fputc('\n', f);
}

/* What curses holds, then the role of each cell, then what the roles look like here. */
static void save_screen(const char *path)
{
    FILE *f = fopen(path, "we");
    bool used[ROLES] = { false };

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return;
    }
    for (int y = 0; y < term.shadow_h; y++) {
        for (int x = 0; x < term.shadow_w; x++) {
            wchar_t text[CCHARW_MAX + 1] = { 0 };
            attr_t attributes;
            short pair;
            cchar_t cell;
            mvin_wch(y, x, &cell);
            getcchar(&cell, text, &attributes, &pair, NULL);
            fprintf(f, "%ls", text);
            if (wcwidth(text[0]) > 1)
                x++; /* the next cell is its other half */
        }
        fputc('\n', f);
    }
    for (int y = 0; y < term.shadow_h; y++)
        fprintf(f, "%.*s\n", term.shadow_w, term.shadow + y * term.shadow_w);
    for (int r = 0; r < ROLES; r++) {
        for (int i = 0; i < term.shadow_w * term.shadow_h; i++)
            used[r] |= term.shadow[i] == roles[r].letter;
        if (used[r])
            describe_role(f, r);
    }
    fclose(f);
}

/* The keys of a script: names with blanks between, '#' begins a comment line, ':' a command. */
static int script_key(void)
{
    char word[256];
    int w, h;

    while (fscanf(term.script, " %255s", word) == 1) {
        if (word[0] == '#' && word[1] == 0) {
            for (int c; (c = fgetc(term.script)) != EOF && c != '\n';)
                ;
        } else if (strcmp(word, ":save-screen") == 0 && fscanf(term.script, " %255s", word) == 1) {
            save_screen(word);
        } else if (strcmp(word, ":resize") == 0 && fscanf(term.script, " %dx%d", &w, &h) == 2) {
            resizeterm(h, w);
            return KEY_RESIZED;
        } else {
            return keys_named(word);
        }
    }
    term.over = true;
    return KEY_NOTHING;
}

int term_key(int timeout_ms)
{
    struct timespec limit = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

    if (term.script)
        return script_key();
    bool hung_up = false; /* then what was typed before is read, and the end after it */
    for (int key;;) {
        key = getch();
        if (key != ERR) {
            /* A hand on the window's edge sends many: only the last size counts. */
            int next = key;
            while (next == KEY_RESIZE)
                next = getch();
            if (next != key && next != ERR)
                ungetch(next);
            return translate(key);
        }
        term.over |= hung_up;
        if (term_leaving())
            return KEY_NOTHING;
        int n = ppoll(&in, 1, timeout_ms < 0 ? NULL : &limit, &term.while_waiting);
        hung_up = n > 0 && in.revents & (POLLHUP | POLLERR | POLLNVAL);
        if (n == 0 || term_leaving())
            return KEY_NOTHING;
    }
}

void term_clear(void)
{
    int w, h;

    attrset(0);
    erase();
    term_size(&w, &h);
    if (term.script && (w != term.shadow_w || h != term.shadow_h)) {
        free(term.shadow);
        term.shadow = malloc((size_t)w * (size_t)h);
        term.shadow_w = term.shadow ? w : 0;
        term.shadow_h = term.shadow ? h : 0;
    }
    if (term.shadow)
        memset(term.shadow, roles[ROLE_NONE].letter, (size_t)w * (size_t)h);
}

/* A name comes from the traced program: nothing in it may reach the terminal as a command. */
static void clean(char *ret, size_t size, const char *text)
{
    mbstate_t state = { 0 };
    size_t at = 0;
    wchar_t c;

    while (*text && at + MB_LEN_MAX < size) {
        size_t n = mbrtowc(&c, text, MB_LEN_MAX, &state);
        bool bad = n == (size_t)-1 || n == (size_t)-2;
        if (bad)
            memset(&state, 0, sizeof state);
        n = bad || n == 0 ? 1 : n;
        if (bad || wcwidth(c) < 0)
            ret[at++] = '?';
        else
            for (size_t i = 0; i < n; i++)
                ret[at++] = text[i];
        text += n;
    }
    ret[at] = 0;
}

int term_put(int y, int x, int columns, enum role role, const char *text)
{
    char whole[TEXT_PUT_MAX], cut[TEXT_PUT_MAX];
    int kind = role & ~ROLE_AT_CURSOR;

    if (columns <= 0)
        return 0;
    clean(whole, sizeof whole, text);
    int used = text_cut(cut, sizeof cut, whole, columns, term.glyphs.cut);
    attrset((int)(term.attributes[kind] ^ (role & ROLE_AT_CURSOR ? A_REVERSE : 0)));
    mvaddstr(y, x, cut);
    for (int i = x; term.shadow && y < term.shadow_h && i < x + used && i < term.shadow_w; i++)
        term.shadow[y * term.shadow_w + i] = role & ROLE_AT_CURSOR ? '@' : roles[kind].letter;
    return used;
}

void term_repeat(int y, int x, int n, enum role role, const char *glyph)
{
    for (int i = 0; i < n; i++)
        term_put(y, x + i, 1, role, glyph);
}

void term_cursor(int y, int x)
{
    move(y, x);
}

void term_flush(void)
{
    refresh();
}

void term_redraw(void)
{
    clearok(curscr, TRUE);
}

/* remedy.h - from a cause to advice: one or two sentences that fit the call and the language.  Pure.
 * The idea is redis's LATENCY DOCTOR: a rule, a sentence, a remedy; here for any event loop. */
#ifndef LOOPSCOPE_REMEDY_H
#define LOOPSCOPE_REMEDY_H

enum remedy_language { REMEDY_C, REMEDY_RUNTIME, REMEDY_PYTHON, REMEDY_NODE, REMEDY_LANGUAGES };

/* In what the loop's code is most likely written: by the program's name ("/usr/bin/python3.11"; NULL: not known)
 * and the loop's kind ("runtime": our coroutines). */
enum remedy_language remedy_language(const char *exe, const char *loop_kind);

/* What to do about a stall of this cause ("call", "cpu" ...) in this libc call (NULL or "" when none).  Never NULL:
 * "" when there is nothing useful to say. */
const char *remedy_for(const char *cause, const char *call, enum remedy_language language);

/* Why a short call of that name on a loop thread deserves a word although it did not stall; NULL: it does not. */
const char *remedy_lint(const char *call);

#endif

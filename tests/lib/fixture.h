/* fixture.h - small traces for tests: SQL text run on top of the real schema.  Programs that use it run from the
 * root of the repository. */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

/* Makes (or replaces) the trace `path`: tracer/record/schema.sql, then the SQL of `sql_path`.
 * 0, or -1 after one line on stderr. */
int fixture_build(const char *sql_path, const char *path);

/* Runs more SQL on a trace that exists.  0, or -1 after one line on stderr. */
int fixture_run(const char *path, const char *sql);

/* A path for a trace that belongs to this process, in a directory of its own under TMPDIR; removed at exit. */
const char *fixture_temp(const char *name);

#endif

/* gate.h - `--fail-if EXPR`: a condition on a report, for scripts and CI.  Pure.
 *
 *   expr    = and { "or" and }          and = compare { "and" compare }
 *   compare = metric op value | "(" expr ")"          op = > >= < <= = !=
 *   metric  = stall          the longest stall                  50ms
 *           | stalls         how many                           3
 *           | stall.total    all of them together               1s
 *           | stall.CAUSE    the longest of that cause: cpu call lock fault preempted throttled stopped unknown
 *           | busy           the busiest loop's share           90%
 *           | iteration.p50 | iteration.p99 | iteration.max     the worst loop's busy time a turn
 *           | call | calls   the longest blocking call on a loop thread, and how many there were
 *           | call.NAME      the longest of that name: call.getaddrinfo>0 is true when there was one
 *           | lost           events that were lost
 *           | loops          how many were seen
 *           | unobserved     tasks that failed and nobody took the result; never_awaited: that ended well, and nobody did
 *
 * Where events were lost a figure is only a lower bound, so a condition that could be true may be not determined. */
#ifndef LOOPSCOPE_GATE_H
#define LOOPSCOPE_GATE_H

#include "query_report.h"

struct gate;
enum gate_result { GATE_FALSE, GATE_TRUE, GATE_NOT_DETERMINED };

/* Allocates *ret_gate.  0, or -1 and one line in ret_error. */
int gate_parse(const char *text, struct gate **ret_gate, char *ret_error, int error_size);
enum gate_result gate_eval(const struct gate *gate, const struct report_data *d);
void gate_free(struct gate *gate);

#endif

#!/usr/bin/env python3
"""check.py LOG TRACE - compares the truth program's log with the stalls of the trace.

Recall and precision must be 100 %, lengths within max(1 ms, 2 %), cause, call and function right.  A busy machine is
believed only by the stall's own evidence: what waited for a CPU for half of its time may be called preempted, and a turn
may be longer than its block by what it waited for a CPU."""
import sqlite3
import sys


def main(log, trace):
    truth = []
    for line in open(log):
        t, dur, expect, name, cause, call, function = line.split()
        truth.append((int(t), int(dur), int(expect), name, cause, call, function))
    db = sqlite3.connect(f"file:{trace}?mode=ro", uri=True)
    t0 = db.execute("SELECT value FROM meta WHERE key = 't0_realtime_ns'").fetchone()[0]
    stalls = db.execute("SELECT id, t + ?, dur, cause, detail, coalesce(runq, 0) FROM stall ORDER BY t", (t0,)).fetchall()
    if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        return ["the trace is damaged"]
    wrong, used = [], set()
    for t, dur, expect, name, cause, call, function in truth:
        # the block lies inside the busy period of its stall
        found = [s for s in stalls if s[1] <= t + 200_000 and t + dur <= s[1] + s[2] + 200_000]
        used.update(s[0] for s in found if expect)
        if expect < 1:
            bad = [s for s in found if s[5] < s[2] / 2]
            wrong += [f"{name} of {dur / 1e6:.1f} ms was reported: {bad}"] if bad and expect == 0 else []
            continue
        if len(found) != 1:
            wrong.append(f"{name} of {dur / 1e6:.1f} ms: {len(found)} stalls")
            continue
        ident, _, length, got, detail, runq = found[0]
        starved = runq >= length / 2
        if not -max(1e6, dur * 0.02) <= length - dur <= max(1e6, dur * 0.02) + runq:
            wrong.append(f"{name}: {dur / 1e6:.2f} ms reported as {length / 1e6:.2f} ms")
        if starved and got == "preempted":
            continue
        if got != cause:
            wrong.append(f"{name} of {dur / 1e6:.1f} ms: cause {got} ({detail}), not {cause}")
        elif call != "-" and call not in detail:
            wrong.append(f"{name}: detail '{detail}' does not name {call}")
        names = {r[0] for r in db.execute(
            "SELECT function FROM stack_line WHERE stack IN (SELECT stack FROM stall WHERE id = ?1 UNION "
            "SELECT stack FROM sample WHERE stall = ?1)", (ident,))}
        if function not in names:
            wrong.append(f"{name} of {dur / 1e6:.1f} ms ({got}, {detail}): {function} is not on its stack {sorted(n for n in names if n)}")
    wrong += [f"nothing blocked, but reported: {s[2] / 1e6:.1f} ms {s[3]} {s[4]}" for s in stalls if s[0] not in used and s[5] < s[2] / 2]
    return wrong


if __name__ == "__main__":
    problems = main(*sys.argv[1:3])
    for p in problems:
        print(p)
    sys.exit(1 if problems else 0)

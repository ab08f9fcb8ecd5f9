"""runtime_marks - spans, marks, counters and allowed blocks of a program are in its trace, each with its task; a stall of
another task while the one that may block waits is not allowed."""
import sys

sys.path.insert(0, "tests/lib")
from real import B, Trace, check, recorded

with recorded([f"{B}/tests/targets/marks"], "-t", "20ms") as (process, path):
    check(process.wait(60) == 0, "the program failed")
trace = Trace(path)
MARKS = "SELECT m.name, t.name, m.t, m.dur, m.value, m.thread FROM mark m JOIN task t ON t.id = m.task ORDER BY m.t + m.dur"
marks = trace.all(MARKS)


def of(name):
    return [m for m in marks if m[0] == name]


work = of("work")
check([m[1] for m in work] == ["second", "first"], f"who ended its span when: {work}")
check(all(ms * 1e6 <= m[3] for m, ms in zip(work, (20, 30))), f"they last as long as the tasks waited: {work}")
check(work[0][2] + work[0][3] > work[1][2], "they overlap")
check(all(m[4] is None for m in work), f"a span has no value: {work}")
for inner, outer in zip(of("inner"), work):
    check(inner[1] == outer[1] and outer[2] <= inner[2] and inner[2] + inner[3] <= outer[2] + outer[3], "inner is within")
check([(m[1], m[3], m[4]) for m in of("depth")] == [("main", 0, v) for v in (0.0, 1.5, 3.0)], f"{of('depth')}")
check([m[1:2] + m[3:5] for m in of("started")] == [("main", 0, None)], f"{of('started')}")
check([m[:2] for m in marks if "is over" in m[0]] == [("worker 2 is over", "second"), ("worker 1 is over", "first")],
      f"{marks}")
check(len({m[5] for m in marks}) == 1, "one thread")

allowed = trace.all("SELECT why, t, t_end FROM allow ORDER BY t")
check({a[0] for a in allowed} == {"reads its configuration", "waits while others run"}, f"{allowed}")
check(all(a[2] is not None for a in allowed), f"each ends: {allowed}")
stalls = trace.all("SELECT t.name, s.allowed, s.dur FROM stall s JOIN task t ON t.id = s.task WHERE s.dur > 50000000 ORDER BY s.t")
check([s[:2] for s in stalls] == [("blocks", "reads its configuration"), ("blocks_badly", None)], f"{stalls}")

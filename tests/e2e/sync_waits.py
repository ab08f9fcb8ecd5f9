"""sync_waits - every kind of wait of sync.h is in the trace with its why, its object and who ended it; a lock's holder is
told from the moment somebody waits until nobody does; a select says what it waits for."""
import sys

sys.path.insert(0, "tests/lib")
from real import B, Trace, check, recorded

with recorded([f"{B}/tests/targets/sync_waits"]) as (process, path):
    check(process.wait(60) == 0, "the program failed")
trace = Trace(path)
WAITS = """SELECT t.name, w.name, o.kind, o.name, coalesce(k.name, 'the loop'), s.wait FROM step s JOIN task t ON t.id = s.task
           JOIN why w ON w.id = s.why JOIN object o ON o.id = s.target LEFT JOIN task k ON k.id = s.waker
           WHERE t.name <> 'main' ORDER BY s.id"""
waits = {w[0]: w[1:] for w in trace.all(WAITS)}
EXPECTED = {
    "locks": ("lock", "lock", "lock", "main"),
    "locks too": ("lock", "lock", "lock", "locks"),
    "reads": ("lock", "rwlock", "rwlock", "main"),
    "takes": ("sem", "sem", "sem", "main"),
    "waits": ("event", "event", "event", "main"),
    "is told": ("cond", "cond", "cond", "main"),
    "meets": ("barrier", "barrier", "barrier", "main"),
    "gets": ("queue_get", "queue", "jobs", "main"),
    "puts": ("queue_put", "queue", "full", "main"),
    "joins": ("event", "queue", "full", "main"),
    "sends": ("chan_send", "channel", "out", "main"),
    "receives": ("chan_recv", "channel", "in", "main"),
    "chooses": ("select", "select", "select of 2", "main"),
    "too late": ("event", "event", "event", "the loop"),
}
for task, expected in EXPECTED.items():
    check(task in waits and waits[task][:4] == expected, f"{task}: {waits.get(task)}")
check(waits["too late"][4] >= 1e6, f"until its deadline: {waits['too late']}")

holds = trace.all("""SELECT o.name, t.name, h.t, h.t_end FROM hold h JOIN object o ON o.id = h.object JOIN task t ON t.id = h.task
                     ORDER BY h.t""")
check(sorted(h[:2] for h in holds) == [("lock", "locks"), ("lock", "main"), ("rwlock", "main")], f"who holds what: {holds}")
check(all(h[3] is not None for h in holds), f"each was given back: {holds}")
members = trace.all("""SELECT o.name FROM member m JOIN object s ON s.id = m.object JOIN object o ON o.id = m.task
                       WHERE s.name = 'select of 2' ORDER BY 1""")
check(members == [("idle",), ("other",)], f"what the select waits for: {members}")
objects = trace.one("SELECT count(*) FROM object WHERE name IN ('idle', 'guard')")
check(objects == 1, "an object nobody waited for is not in the trace")

"""runtime_outside - what a task waits for outside its loop is in the trace: why, on what, the job on its thread's lane."""
import sys

sys.path.insert(0, "tests/lib")
from real import B, Trace, check, recorded

with recorded([f"{B}/tests/targets/outside", "/etc/hostname"]) as (process, path):
    check(process.wait(60) == 0, "the program failed")
trace = Trace(path)

waits = trace.all("""SELECT task.name, why.name, o.kind, o.name, p.wait, site.function FROM step p
                       JOIN task ON task.id = p.task JOIN why ON why.id = p.why JOIN site ON site.id = p.site
                       JOIN object o ON o.id = p.target
                       WHERE why.name IN ('thread', 'dns', 'file', 'child', 'signal') ORDER BY p.t""")


def of(task):
    return [w[1:4] for w in waits if w[0] == task]


check(of("to_thread") == [("thread", "pool", "threads")], f"to_thread: {of('to_thread')}")
check(of("first") == of("next") == [("thread", "pool", "disk")], f"pool: {of('first')} {of('next')}")
check(of("dns") == [("dns", "other", "localhost")], f"dns: {of('dns')}")
check(of("file") == [("file", "file", "/etc/hostname")] * 4, f"read all, open, read, close: {of('file')}")
check(len(of("child")) == 1 and of("child")[0][:2] == ("child", "process"), f"child: {of('child')}")
check(of("child")[0][2].startswith("sleep ("), f"the child is named: {of('child')}")
check({w[:2] for w in of("talker")} == {("child", "process")}, f"talker: {of('talker')}")
check(of("signals") == [("signal", "signal", "SIGUSR1 SIGTERM")], f"signals: {of('signals')}")
check([w[1] for w in waits if w[3] == "guest on another loop"] == ["thread"], f"a call into a loop: {waits}")
check(all(w[5] == w[0] for w in waits if w[0] in ("to_thread", "dns", "file", "child", "talker", "signals")),
      f"each at its call site: {waits}")
check(next(w[4] for w in waits if w[0] == "to_thread") >= 20e6, "as long as the job")

jobs = trace.all("""SELECT m.name, task.name, thread.name, m.dur, m.value FROM mark m JOIN thread ON thread.id = m.thread
                      JOIN task ON task.id = m.task WHERE m.dur > 0 AND thread.name LIKE '%.%' ORDER BY m.t""")
naps = [j for j in jobs if j[0] == "nap"]
check(sorted(j[1] for j in naps) == ["first", "next", "to_thread"], f"jobs name their tasks: {naps}")
check({j[1]: j[2].split(".")[0] for j in naps} == {"first": "disk", "next": "disk", "to_thread": "threads"}, f"{naps}")
check(next(j[3] for j in naps if j[1] == "to_thread") >= 20e6, "a job is a span")
check({"dns localhost", "read /etc/hostname", "open /etc/hostname", "close /etc/hostname"} <= {j[0] for j in jobs}, f"{jobs}")

queue = [v for v, in trace.all("SELECT value FROM mark WHERE name = 'disk: queued' ORDER BY t")]
check(queue == [1, 0], f"one job had to wait for the other: {queue}")
check(trace.one("SELECT count(*) FROM mark WHERE name = 'wake_up' AND dur >= 0") == 1, "the posted function")
check(trace.one("SELECT count(*) FROM task WHERE name = 'guest'") == 1, "the call from the other loop")

times = trace.all("""SELECT task.name, task.t_end - task.t - (SELECT sum(run + queue + wait) FROM step WHERE step.task = task.id)
                       FROM task""")
check(all(rest == 0 for _, rest in times), f"each task's times add up to its life: {times}")

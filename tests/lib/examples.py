"""examples.py - records an example and looks at what its trace shows.  For tests/e2e/ex_*.py."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from real import B, LOOPSCOPE, Trace, check

MS = 1_000_000
SEC = 1000 * MS
MADE_BY_THE_MACHINE = "'preempted', 'throttled'"


@contextlib.contextmanager
def place():
    """A directory for the test; with it goes what is in it."""
    directory = tempfile.mkdtemp(prefix="loopscope-test-")
    os.chmod(directory, 0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def record(directory, name, *args, threshold="50ms", meanwhile=None):
    """(what it printed, its trace) of build/examples/NAME; the threshold leaves room for a machine that is busy.
    meanwhile(its first line) is called while it runs.  Of each trace the same holds: nothing lost, every wait has a
    reason, and the steps of a task add up to its life."""
    path, first = f"{directory}/{name.replace('/', '-')}.db", ""
    p = subprocess.Popen([LOOPSCOPE, "record", "-q", "-o", path, "--threshold", threshold, "--", f"{B}/examples/{name}",
                          *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if meanwhile:
            first = p.stdout.readline()
            meanwhile(first.rstrip())
        out, err = p.communicate(timeout=60)
    except BaseException:
        p.terminate()
        print("".join(p.communicate(timeout=60)))
        raise
    check(p.returncode == 0, f"{name}: exit status {p.returncode}\n{first}{out}{err}")
    t = Trace(path)
    check(t.lost() == 0, f"{name}: {t.lost()} events lost")
    odd = t.all("SELECT name, t_end - t, run, queue, wait FROM task WHERE t_end IS NOT NULL AND t_end - t != run + queue + wait")
    check(not odd, f"{name}: the steps add up to the life: {odd}")
    check(t.one("SELECT count(*) FROM task WHERE state = 'done'") > 0, f"{name}: tasks came to their end")
    bare = t.all("""SELECT task.name, step.wait FROM step JOIN task ON task.id = step.task
                     WHERE step.why IS NULL OR step.wait IS NULL OR step.queue IS NULL""")
    check(not bare, f"{name}: every wait has a reason: {bare}")
    return first + out, t


def stalls(t):
    """Stalls of the program's own making, in order: (task, cause, detail, ns, stack as "function:line" innermost first,
    id)."""
    return [(*row[:4], [f"{f}:{line}" for f, line in t.all(
        "SELECT function, line FROM stack_line WHERE stack = ? ORDER BY depth", row[4])], row[5])
        for row in t.all(f"""SELECT task.name, cause, detail, dur, stall.stack, stall.id FROM stall
                             LEFT JOIN task ON task.id = stall.task WHERE cause NOT IN ({MADE_BY_THE_MACHINE})
                             ORDER BY stall.t""")]


def none_blocked(t, name):
    found = [s for s in stalls(t) if not t.starved(s[5])]
    check(not found, f"{name} blocks nobody, but: {found}")


def line_of(source, text):
    """The number of the one line of examples/SOURCE that holds `text`."""
    found = [n for n, line in enumerate(open(f"examples/{source}"), 1) if text in line]
    check(len(found) == 1, f"{source}: one line with {text!r}: {found}")
    return found[0]


def blocked_in(t, source, function, text, call, tasks, reason="call", least=50 * MS):
    """Each of `tasks`, and no other, blocked the loop for `least` ns in `call`, called from the line with `text` in
    `function` of SOURCE; every such stall says so, and the report."""
    found, line = [s for s in stalls(t) if s[3] >= least], line_of(source, text)
    check(found, f"{source}: stalls")
    for task, cause, detail, _, stack, _ in found: # one turn may hold several tasks, then it is no task's
        check(task is None or task in tasks, f"{source}: a stall of {task}: {found}")
        check(cause == reason and detail.startswith(call), f"{source}: cause {reason}, {call}: {cause} {detail}")
        check(f"{function}:{line}" in stack, f"{source}: {function}:{line} is on the stack {stack}")
    blamed = {r[0] for r in t.all("""SELECT task.name FROM call JOIN task ON task.id = call.task WHERE call.name = ?
                                       GROUP BY task.id HAVING sum(dur) > ?""", call, least * 0.8)}
    check(blamed == set(tasks), f"{source}: whose calls: {blamed}")
    said, where = report(t), f"{function} ({os.path.basename(source)}:{line})"
    check(where in " ".join(said.split()), f"the report names {where}:\n{said}")
    return found


def waits(t, why, pattern="%"):
    """(task, from, to, target, site as "function:line") of the waits for `why` of tasks whose name is like `pattern`."""
    return t.all("""SELECT task.name, p.t - p.queue - p.wait, p.t - p.queue, p.target, site.function || ':' || site.line
                      FROM step p JOIN task ON task.id = p.task JOIN why ON why.id = p.why LEFT JOIN site ON site.id = p.site
                     WHERE why.name = ? AND task.name LIKE ? ORDER BY p.t""", why, pattern)


def side_by_side(spans, what):
    """Of (task, from, to, ...): a moment at which all of them wait."""
    check(spans and max(s[1] for s in spans) < min(s[2] for s in spans), f"{what} wait side by side: {spans}")


def report(t):
    return subprocess.run([LOOPSCOPE, "report", t.path], capture_output=True, text=True, timeout=20).stdout

"""lessons - what an introduction to asyncio teaches, one lesson a program: each is recorded, and its trace must show it.

The lessons sleep for seconds, as the text they come from does, so they run side by side."""
import concurrent.futures
import http.server
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, "tests/lib")
import examples
from examples import MS, SEC, line_of, none_blocked, place, report, side_by_side, waits
from real import check


def record(name, *args):
    """(what it printed, its trace) of an example."""
    return examples.record(tempfile.mkdtemp(dir=DIR), name, *args)


def at_least(ns, seconds, what):
    """A machine that is busy makes everything longer: what came side by side is shown by who waited when.  1 ms: the trace
    has its own clock."""
    check(ns >= seconds * SEC - MS, f"{what}: {ns / SEC:.3f} s where {seconds} s were expected")


def rests(t, why, pattern="%"):
    """(task, ns) of the waits for `why`, each from when the task began to run before it: it reads the clock, or asks a
    thread, then, and may lose the CPU before it waits."""
    return t.all("""SELECT name, ready - began FROM (
                      SELECT task.name AS name, p.why AS why, p.t - p.queue AS ready,
                             lag(p.t) OVER (PARTITION BY p.task ORDER BY p.t, p.id) AS began
                        FROM step p JOIN task ON task.id = p.task WHERE task.name LIKE ?) s
                     WHERE why = (SELECT id FROM why WHERE name = ?) ORDER BY ready""", pattern, why)


def stalls(t, least=0):
    """Stalls of the program's own making, of `least` ns: (task, cause, detail, length)."""
    return [s[:4] for s in examples.stalls(t) if s[3] >= least]


def all_starved(t):
    """A machine that gave the program less than half of the time it asked for: what it did itself cannot be told."""
    found = t.all("SELECT id FROM stall")
    return found and all(t.starved(stall) for stall, in found)


def span(t, pattern):
    return t.one("SELECT max(t_end) - min(t) FROM task WHERE name LIKE ?", pattern)


# --- the lessons, in the order of the text

def synchronous_fetches_wait_in_line():
    _, t = record("fetch_sequential")
    at_least(span(t, "fetch %"), 3, "three in line")
    found = stalls(t, SEC / 2)
    check([s[0] for s in found] == ["fetch /a", "fetch /b", "fetch /c"], f"three stalls, named: {found}")
    for task, cause, detail, dur in found:
        at_least(dur, 1, task)
        check(cause == "call" and "sleep" in detail, f"{task}: {cause} {detail}")
    check("fetch_sequential.c:12" in report(t), "the report names the line of the sleep")


def a_loop_runs_others_while_one_waits():
    _, t = record("fetch_gathered")
    none_blocked(t, "fetch_gathered")
    sleeps = waits(t, "sleep", "fetch %")
    check(len(sleeps) == 3, f"three waits: {sleeps}")
    side_by_side(sleeps, "three as tasks")
    for name, ns in rests(t, "sleep", "fetch %"):
        at_least(ns, 1, name)


def coroutines_and_await():
    out, t = record("greet")
    check(out == "Hello, Alice!\nHello, Bob!\n", out)
    awaits = t.all("""SELECT target.name, site.function, site.line FROM step p JOIN task ON task.id = p.task
                        JOIN why ON why.id = p.why JOIN task AS target ON target.id = p.target
                        JOIN site ON site.id = p.site WHERE task.name = 'main' AND why.name = 'task' ORDER BY p.t""")
    check([a[0] for a in awaits] == ["greet Alice", "greet Bob"], f"one task that waits twice: {awaits}")
    source = open("examples/greet.c").read().splitlines()
    for _, function, line in awaits:
        check(function == "app" and "ls_await" in source[line - 1], f"the line of the await: {function}:{line}")
    sleeps = waits(t, "sleep")
    check([s[0] for s in sleeps] == ["greet Alice", "greet Bob"], f"each sleeps once: {sleeps}")
    check(sleeps[0][2] <= sleeps[1][1], f"one after the other: {sleeps}")
    check({s[4] for s in sleeps} == {f"greet:{line_of('greet.c', 'ls_sleep(')}"}, f"the line of the sleep: {sleeps}")
    for name, ns in rests(t, "task", "main") + rests(t, "sleep"):
        at_least(ns, 1, name)
    none_blocked(t, "greet")
    the_trace_is_the_log(t)


def the_trace_is_the_log(t):
    """Nothing to write: every switch, await and wake, in order, by SQL."""
    log = t.all("""SELECT task.name, why.name, coalesce(waker.name, 'loop') FROM step p JOIN task ON task.id = p.task
                     JOIN why ON why.id = p.why LEFT JOIN task AS waker ON waker.id = p.waker ORDER BY p.t, p.id""")
    expected = [("main", "spawn"), ("greet Alice", "spawn"), ("greet Alice", "sleep"), ("main", "task"),
                ("greet Bob", "spawn"), ("greet Bob", "sleep"), ("main", "task")]
    check([row[:2] for row in log] == expected, f"the log: {log}")
    check([row[2] for row in log if row[1] == "task"] == ["greet Alice", "greet Bob"], f"who woke main: {log}")
    check([row[2] for row in log if row[1] == "sleep"] == ["loop", "loop"], f"the loop wakes who slept: {log}")


def awaiting_real_io():
    answered = {path: threading.Event() for path in ("/100", "/200", "/300")}

    class Slow(http.server.BaseHTTPRequestHandler):
        """Answers /100, then /200, then /300: whoever asks for one after the other waits for ever."""

        def do_GET(self):
            for path in answered:
                if path < self.path:
                    answered[path].wait(30)
            time.sleep(0.3) # so that a client that is busy sees them one by one
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            answered[self.path].set()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out, t = record("fetch_urls", str(server.server_port), "/300", "/100", "/200")
    server.shutdown()
    check([line.split(":")[0] for line in out.splitlines()] == ["/300", "/100", "/200"], f"results in order: {out}")
    ends = [r[0] for r in t.all("SELECT name FROM task WHERE name LIKE 'fetch %' ORDER BY t_end")]
    check(ends == ["fetch /100", "fetch /200", "fetch /300"], f"they end out of order: {ends}")
    whys = t.all("""SELECT task.name, count(DISTINCT p.target) FROM step p JOIN task ON task.id = p.task
                      JOIN why ON why.id = p.why WHERE why.name = 'fd' GROUP BY task.id""")
    check(len(whys) == 3 and all(n == 1 for _, n in whys), f"each waits for its own socket: {whys}")
    longest = {}
    for wait in waits(t, "fd", "fetch %"):
        if wait[0] not in longest or wait[2] - wait[1] > longest[wait[0]][2] - longest[wait[0]][1]:
            longest[wait[0]] = wait
    side_by_side(list(longest.values()), "the fetches")
    none_blocked(t, "fetch_urls")


def gather_keeps_the_order():
    out, t = record("gather_order")
    check(out.splitlines() == ["task 2 finishes", "task 3 finishes", "task 1 finishes", "results: 1, 2, 3"], out)
    ends = [r[0] for r in t.all("SELECT name FROM task WHERE name LIKE 'task %' ORDER BY t_end")]
    check(ends == ["task 2", "task 3", "task 1"], f"ends: {ends}")
    group = t.all("""SELECT object.kind, waker.name FROM step p JOIN task ON task.id = p.task JOIN why ON why.id = p.why
                       JOIN object ON object.id = p.target JOIN task AS waker ON waker.id = p.waker
                      WHERE task.name = 'main' AND why.name = 'group'""")
    check(group == [("group", "task 1")], f"the parent waits on a group, and the longest decides: {group}")
    at_least(rests(t, "group", "main")[0][1], 3, "the longest")
    none_blocked(t, "gather_order")


def libraries_must_be_asynchronous_too():
    _, t = record("blocking_call")
    found = stalls(t, 90 * MS)
    check(len(found) == 3 and all(s[1] == "call" for s in found), f"three stalls by a call: {found}")
    check("query" in report(t), "the function that called it is named")


def off_load_what_must_block():
    _, t = record("to_thread")
    none_blocked(t, "to_thread")
    found = rests(t, "thread", "main")
    check(len(found) == 3, f"main waits for a thread: {found}")
    for _, ns in found:
        at_least(ns, 0.1, "for a thread")
    jobs = t.all("SELECT name, dur, thread FROM mark WHERE dur > 90000000")
    loop_thread = t.one("SELECT thread FROM loop")
    check(len(jobs) == 3 and all(j[0] == "query" and j[2] != loop_thread for j in jobs), f"jobs on their lane: {jobs}")


def never_block_the_loop():
    for name, cause, words in (("blocking_call", "call", "usleep"), ("long_computation", "cpu", "hash"),
                               ("blocking_read", "call", "read")):
        _, t = record(name, "again")
        found = [s for s in stalls(t) if s[1] == cause]
        if not found and cause == "cpu" and all_starved(t):
            print(f"{name}: the machine is too busy for it")
            continue
        check(found, f"{name}: no stall of cause {cause}: {stalls(t)}")
        text = report(t)
        check(words in text and "=>" in text, f"{name}: the report says what and how to cure it:\n{text}")
        late = t.all("""SELECT task.name, max(delayed) FROM victim JOIN task ON task.id = victim.task GROUP BY 1""")
        check(late and late[0][0] == "ticker" and late[0][1] > 30 * MS, f"{name}: who had to wait, how long: {late}")


def computing_is_no_use_on_one_loop():
    _, t = record("cpu_bound")
    busy, life = t.all("SELECT sum(busy), (SELECT max(t_end) - min(t) FROM task) FROM iteration")[0]
    check(busy > 0.9 * life, f"the loop is busy all the time: {busy / life:.2f}")
    run, queue = t.all("SELECT sum(run), sum(queue) FROM task WHERE name LIKE 'hash %'")[0]
    check(queue > 2 * run, f"the tasks run {run / MS:.0f} ms and queue {queue / MS:.0f} ms for it")
    _, t = record("cpu_bound", "threads")
    check(len(waits(t, "thread")) == 4, f"with threads the tasks wait: {waits(t, 'thread')}")
    jobs = t.all("SELECT t, t + dur, thread FROM mark WHERE name = 'hash_all'")
    check(len({j[2] for j in jobs}) == 4, f"four jobs on four lanes: {jobs}")


def debugging_across_awaits():
    out, t = record("error_three_deep")
    check(out == "handle alice: No such file or directory\n", out)
    chain = t.all("""WITH RECURSIVE up(id, depth) AS (
            SELECT id, 0 FROM task WHERE name = 'query alice'
            UNION ALL SELECT step.task, depth + 1 FROM up JOIN step ON step.target = up.id
             WHERE step.why = (SELECT id FROM why WHERE name = 'task'))
        SELECT task.name FROM up JOIN task ON task.id = up.id ORDER BY depth""")
    check([c[0] for c in chain] == ["query alice", "load alice", "handle alice", "main"], f"who awaited whom: {chain}")
    lost = t.all("SELECT name FROM task WHERE outcome = 'error' AND observed = 0")
    check(lost == [("audit",)], f"whose result nobody read: {lost}")
    check("audit" in report(t), "the report names it")


def async_against_threads():
    _, t = record("loop_and_threads")
    check(t.one("SELECT count(*) FROM loop") == 1, "one loop")
    check(t.one("SELECT count(DISTINCT thread) FROM mark WHERE name = 'usleep'") == 100, "a lane for each thread")
    sleeps = waits(t, "sleep")
    check(len(sleeps) == 100, f"a hundred waits: {len(sleeps)}")
    side_by_side(sleeps, "a hundred tasks")
    for name, ns in rests(t, "sleep"):
        at_least(ns, 0.1, name)
    none_blocked(t, "loop_and_threads")


def main():
    lessons = [synchronous_fetches_wait_in_line, a_loop_runs_others_while_one_waits, coroutines_and_await,
               gather_keeps_the_order, awaiting_real_io, libraries_must_be_asynchronous_too, off_load_what_must_block,
               debugging_across_awaits, async_against_threads]
    with concurrent.futures.ThreadPoolExecutor(len(lessons)) as pool:
        for done in [pool.submit(lesson) for lesson in lessons]:
            done.result()
    for lesson in (never_block_the_loop, computing_is_no_use_on_one_loop):  # these want the CPU for themselves
        lesson()


os.chdir(os.path.dirname(os.path.abspath(__file__)) + "/../..")
with place() as DIR:
    main()

"""lessons - what an introduction to asyncio teaches, one lesson a program: each is recorded, and its trace must show it.

The lessons sleep for seconds, as the text they come from does, so they run side by side."""
import concurrent.futures
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, "tests/lib")
from real import B, LOOPSCOPE, Trace, check

DIR = tempfile.mkdtemp(prefix="loopscope-test-")
MS = 1_000_000
SEC = 1000 * MS


def record(name, *args):
    """(what it printed, its trace) of an example; the threshold leaves room for a machine that is busy."""
    path = f"{DIR}/{name}-{len(args)}.db"
    p = subprocess.run([LOOPSCOPE, "record", "-q", "-o", path, "--threshold", "50ms", "--", f"{B}/examples/{name}", *args],
                       stdout=subprocess.PIPE, timeout=60)
    check(p.returncode == 0, f"{name}: exit status {p.returncode}")
    return p.stdout.decode(), Trace(path)


def near(ns, seconds, what):
    check(seconds * SEC <= ns <= seconds * SEC + 400 * MS, f"{what}: {ns / SEC:.3f} s where {seconds} s were expected")


def stalls(t, without="'preempted', 'throttled'"):
    """Stalls of the program's own making: (task, cause, detail, length)."""
    return t.all(f"""SELECT task.name, cause, detail, dur FROM stall LEFT JOIN task ON task.id = stall.task
                       WHERE cause NOT IN ({without}) ORDER BY stall.t""")


def none_blocked(t, name):
    check(not stalls(t), f"{name} blocks nobody, but: {stalls(t)}")


def span(t, pattern):
    return t.one(f"SELECT max(t_end) - min(t) FROM task WHERE name LIKE '{pattern}'")


def report(t):
    return subprocess.run([LOOPSCOPE, "report", t.path], stdout=subprocess.PIPE, timeout=20).stdout.decode()


# --- the lessons, in the order of the text

def synchronous_fetches_wait_in_line():
    _, t = record("fetch_sequential")
    near(span(t, "fetch %"), 3, "three in line")
    found = stalls(t)
    check([s[0] for s in found] == ["fetch /a", "fetch /b", "fetch /c"], f"three stalls, named: {found}")
    for task, cause, detail, dur in found:
        near(dur, 1, task)
        check(cause == "call" and "sleep" in detail, f"{task}: {cause} {detail}")
    check("fetch_sequential.c:12" in report(t), "the report names the line of the sleep")


def a_loop_runs_others_while_one_waits():
    _, t = record("fetch_gathered")
    near(span(t, "fetch %"), 1, "three as tasks")
    none_blocked(t, "fetch_gathered")
    waits = t.all("""SELECT p.t - p.queue - p.wait, p.t - p.queue FROM step p JOIN task ON task.id = p.task
                       JOIN why ON why.id = p.why WHERE task.name LIKE 'fetch %' AND why.name = 'sleep'""")
    check(len(waits) == 3, f"three waits: {waits}")
    check(max(w[0] for w in waits) < min(w[1] for w in waits), f"side by side: {waits}")


def coroutines_and_await():
    out, t = record("greet")
    check(out == "Hello, Alice!\nHello, Bob!\n", out)
    waits = t.all("""SELECT target.name, p.wait, site.function, site.line FROM step p JOIN task ON task.id = p.task
                       JOIN why ON why.id = p.why JOIN task AS target ON target.id = p.target
                       JOIN site ON site.id = p.site WHERE task.name = 'main' AND why.name = 'task' ORDER BY p.t""")
    check([w[0] for w in waits] == ["greet Alice", "greet Bob"], f"one task that waits twice: {waits}")
    source = open("examples/greet.c").read().splitlines()
    for name, wait, function, line in waits:
        near(wait, 1, name)
        check(function == "app" and "ls_await" in source[line - 1], f"the line of the await: {function}:{line}")
    sleeps = t.all("""SELECT task.name, p.wait, site.line FROM step p JOIN task ON task.id = p.task
                        JOIN why ON why.id = p.why JOIN site ON site.id = p.site WHERE why.name = 'sleep' ORDER BY p.t""")
    check([s[0] for s in sleeps] == ["greet Alice", "greet Bob"], f"each sleeps once: {sleeps}")
    for name, wait, line in sleeps:
        near(wait, 1, name)
        check("ls_sleep" in source[line - 1], f"the line of the sleep: {line}")
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
    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(float(self.path[1:]) / 1000)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 1000)

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
    check(span(t, "fetch %") < 590 * MS, f"the longest decides: {span(t, 'fetch %') / MS:.0f} ms")
    none_blocked(t, "fetch_urls")


def gather_keeps_the_order():
    out, t = record("gather_order")
    check(out.splitlines() == ["task 2 finishes", "task 3 finishes", "task 1 finishes", "results: 1, 2, 3"], out)
    ends = [r[0] for r in t.all("SELECT name FROM task WHERE name LIKE 'task %' ORDER BY t_end")]
    check(ends == ["task 2", "task 3", "task 1"], f"ends: {ends}")
    group = t.all("""SELECT p.wait, object.kind FROM step p JOIN task ON task.id = p.task JOIN why ON why.id = p.why
                       JOIN object ON object.id = p.target WHERE task.name = 'main' AND why.name = 'group'""")
    check(len(group) == 1 and group[0][1] == "group", f"the parent waits on a group: {group}")
    near(group[0][0], 3, "the longest decides")
    none_blocked(t, "gather_order")


def libraries_must_be_asynchronous_too():
    _, t = record("blocking_call")
    found = stalls(t)
    check(len(found) == 3 and all(s[1] == "call" for s in found), f"three stalls by a call: {found}")
    check("query" in report(t), "the function that called it is named")


def off_load_what_must_block():
    _, t = record("to_thread")
    none_blocked(t, "to_thread")
    waits = t.one("""SELECT count(*) FROM step p JOIN task ON task.id = p.task JOIN why ON why.id = p.why
                     WHERE task.name = 'main' AND why.name = 'thread' AND p.wait > 90000000""")
    check(waits == 3, f"main waited for a thread {waits} times")
    jobs = t.all("SELECT name, dur, thread FROM mark WHERE dur > 90000000")
    loop_thread = t.one("SELECT thread FROM loop")
    check(len(jobs) == 3 and all(j[0] == "query" and j[2] != loop_thread for j in jobs), f"jobs on their lane: {jobs}")


def never_block_the_loop():
    for name, cause, words in (("blocking_call", "call", "usleep"), ("long_computation", "cpu", "hash"),
                               ("blocking_read", "call", "read")):
        _, t = record(name, "again")
        found = [s for s in stalls(t) if s[1] == cause]
        check(found, f"{name}: no stall of cause {cause}: {stalls(t)}")
        text = report(t)
        check(words in text and "=>" in text, f"{name}: the report says what and how to cure it:\n{text}")
        late = t.all("""SELECT task.name, max(delayed) FROM victim JOIN task ON task.id = victim.task GROUP BY 1""")
        check(late and late[0][0] == "ticker" and late[0][1] > 30 * MS, f"{name}: who had to wait, how long: {late}")


def computing_is_no_use_on_one_loop():
    _, t = record("cpu_bound")
    busy, life = t.all("SELECT sum(busy), (SELECT max(t_end) - min(t) FROM task) FROM iteration")[0]
    check(busy > 0.9 * life, f"the loop is busy all the time: {busy / life:.2f}")
    for name, run, queue in t.all("SELECT name, run, queue FROM task WHERE name LIKE 'hash %'"):
        check(queue > 2 * run, f"{name} runs {run / MS:.0f} ms and queues {queue / MS:.0f} ms for it")
    _, t = record("cpu_bound", "threads")
    waits = t.one("SELECT count(*) FROM step JOIN why ON why.id = step.why WHERE why.name = 'thread'")
    check(waits == 4, f"with threads the tasks wait: {waits}")
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
    waits = t.one("""SELECT count(*) FROM step JOIN why ON why.id = step.why
                     WHERE why.name = 'sleep' AND step.wait >= 99000000""")
    check(waits == 100, f"a hundred waits side by side: {waits}")
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
main()

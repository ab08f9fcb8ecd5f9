"""ex_uv - a libuv program through examples/adapters/uv_probe.h: handles are tasks, callbacks are steps."""
import sys

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, line_of, none_blocked, place, record, side_by_side, waits

SOURCE = "adapters/uv_lookup.c"
with place() as directory:
    out, t = record(directory, "adapters/uv_lookup")
    check(sorted(out.splitlines()) == ["name 1 found", "name 2 found", "name 3 found"], out)
    tasks = t.all("""SELECT task.name, parent.name, task.outcome FROM task LEFT JOIN task parent ON parent.id = task.parent
                      WHERE task.name NOT LIKE 'lookup' ORDER BY task.name""")
    check(tasks == [("client 1", None, "ok"), ("client 2", None, "ok"), ("client 3", None, "ok"),
                    ("connection 1", "listener", "ok"), ("connection 2", "listener", "ok"),
                    ("connection 3", "listener", "ok"), ("listener", None, "ok"), ("ticker", None, "ok")],
          f"a task for each handle, whose parent is the handle in whose callback it was started: {tasks}")
    works = t.all("""SELECT parent.name, task.outcome, task.steps FROM task JOIN task parent ON parent.id = task.parent
                      WHERE task.name = 'lookup' ORDER BY parent.name""")
    check(works == [(f"connection {n}", "ok", 1) for n in (1, 2, 3)], f"a task for each request: {works}")

    pool = waits(t, "thread", "lookup")
    side_by_side(pool, "three lookups")
    check(all(100 * MS <= w[2] - w[1] for w in pool), f"100 ms on the pool each: {pool}")
    check({w[4] for w in pool} == {f"on_question:{line_of(SOURCE, 'uv_queue_work')}"}, f"where it was asked: {pool}")
    clients = waits(t, "fd", "client %")
    check(len({w[3] for w in clients}) == 3, f"each client waits for its own socket: {clients}")
    side_by_side([max((w for w in clients if w[0] == f"client {n}"), key=lambda w: w[2] - w[1]) for n in (1, 2, 3)], "clients")
    ticks = waits(t, "sleep", "ticker")
    check(len(ticks) >= 3 and {w[4] for w in ticks} == {f"main:{line_of(SOURCE, 'uv_timer_start')}"}, f"the timer: {ticks}")
    turns = t.all("SELECT count(*), max(timeout), (SELECT kind FROM loop) FROM iteration")
    check(turns[0][0] >= 5 and 0 < turns[0][1] <= 10 * MS and turns[0][2] == "runtime", f"turns of libuv's loop: {turns}")
    none_blocked(t, "uv_lookup")

    twin = "adapters/uv_lookup_blocking"
    out, t = record(directory, twin, 1)
    check(out == "name 1 found\n", out)
    blocked_in(t, SOURCE, "lookup", "usleep(100000)", "usleep", ["connection 1"])
    out, t = record(directory, twin, 3)
    calls = t.all("SELECT task.name, call.name FROM call JOIN task ON task.id = call.task ORDER BY 1")
    check(calls == [(f"connection {n}", "usleep") for n in (1, 2, 3)], f"three in one turn, each with its handle: {calls}")
    late = dict(t.all("SELECT task.name, max(delayed) FROM victim JOIN task ON task.id = victim.task GROUP BY 1"))
    check(late.get("ticker", 0) > 200 * MS and sum(n[:10] == "connection" and ns > 100 * MS for n, ns in late.items()) == 2, f"who had to wait, how long: {late}")

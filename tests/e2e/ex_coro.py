"""ex_coro - C++20 coroutines through examples/adapters/coro.hpp are as visible as our own tasks."""
import sys

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, line_of, none_blocked, place, record, side_by_side, waits

SOURCE = "adapters/coro_fetch.cpp"
with place() as directory:
    out, t = record(directory, "adapters/coro_fetch")
    check(out == "5 bytes\n5 bytes\n5 bytes\nno such page: No such file or directory\n", out)
    tasks = t.all("""SELECT task.name, parent.name, task.outcome, task.error, task.observed FROM task
                       LEFT JOIN task parent ON parent.id = task.parent ORDER BY task.id""")
    check(tasks == [("main", None, "ok", 0, 1), ("ticker", "main", "cancelled", 0, 0), ("fetch 300", "main", "ok", 5, 1),
                    ("fetch 100", "main", "ok", 5, 1), ("fetch 200", "main", "ok", 5, 1),
                    ("missing", "main", "error", 2, 1)], f"tasks, parents, outcomes: {tasks}")
    fetches = waits(t, "fd", "fetch %")
    side_by_side(fetches, "three fetches")
    check(len({w[3] for w in fetches}) == 3, f"each for its own socket: {fetches}")
    here = f"answer:{line_of(SOURCE, 'co_await ls::ready')}" # awaited as a call: the line is that of the inner coroutine
    check({w[4] for w in fetches} == {here}, f"at {here}: {fetches}")
    lengths = {w[0]: (w[2] - w[1]) / MS for w in fetches}
    check(all(ms - 50 < lengths[f"fetch {ms}"] < ms + 150 for ms in (100, 200, 300)), f"{lengths}")
    joins = waits(t, "task", "main")
    check([t.one("SELECT name FROM task WHERE id = ?", j[3]) for j in joins] == ["fetch 300", "missing"],
          f"whom main awaited, but those that were over by then: {joins}")
    woke = t.all("""SELECT waker.name FROM step p JOIN task ON task.id = p.task JOIN why ON why.id = p.why
                      JOIN task waker ON waker.id = p.waker WHERE why.name = 'task' ORDER BY p.t""")
    check(woke == [("fetch 300",), ("missing",)], f"who woke main: {woke}")
    check(len(waits(t, "yield", "missing")) == 1, "a yield is a step")
    sleeps = waits(t, "sleep", "ticker")
    check(len(sleeps) >= 10 and all(s[2] - s[1] > 9 * MS for s in sleeps[:-1]), f"the ticker sleeps, the last time until it is cancelled: {sleeps}")
    none_blocked(t, "coro_fetch")

    out, t = record(directory, "adapters/coro_fetch_blocking")
    check(out == "5 bytes\n" * 3, out)
    found = blocked_in(t, "adapters/coro_fetch_blocking.cpp", "answer", "/* here */", "read",
                       ["fetch 300", "fetch 100", "fetch 200"])
    check(len(found) == 3, f"one stall a fetch: {found}")
    late = t.all("SELECT task.name, max(delayed) FROM victim JOIN task ON task.id = victim.task GROUP BY 1")
    check(dict(late).get("ticker", 0) > 200 * MS, f"who had to wait, how long: {late}")

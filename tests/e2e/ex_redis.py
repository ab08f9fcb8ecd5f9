"""ex_redis - examples/real/redis_async.c, hiredis' asynchronous calls on our loop, against a redis-server."""
import contextlib
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, line_of, none_blocked, place, record, side_by_side, waits
from real import answers, free_port, need, until

need("redis-server")
CLIENTS = 8


@contextlib.contextmanager
def redis(base, port):
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", base],
                               stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(port), what="redis-server")
        yield port
    finally:
        process.terminate()
        process.wait(20)


with place() as directory, redis(directory, free_port()) as port:
    out, t = record(directory, "real/redis_async", port, CLIENTS)
    check(out == f"{CLIENTS} clients, {CLIENTS} right\nconsumer: dig\n", out)
    answers_of = {n: waits(t, "future", f"client {n}") for n in range(CLIENTS)}
    check(all(len(w) == 2 for w in answers_of.values()), f"SET and GET, a wait each: {answers_of}")
    side_by_side([w[0] for w in answers_of.values()], "the SETs of all clients, on one connection,")
    here = f"command:{line_of('real/redis_async.c', 'ls_future_await')}"
    check({w[4] for ws in answers_of.values() for w in ws} == {here}, f"at {here}: {answers_of}")
    names = {t.one("SELECT name FROM object WHERE id = ?", w[3]) for ws in answers_of.values() for w in ws}
    check(names == {"SET key:%d value-%d", "GET key:%d"}, f"for which command: {names}")
    writers = t.one("SELECT count(*) FROM task WHERE name = 'redis writer'")
    check(writers < 2 * CLIENTS, f"commands of one turn go out together: {writers} writes for {2 * CLIENTS + 2} commands")
    job = waits(t, "future", "consumer")
    check(len(job) == 1 and job[0][2] - job[0][1] > 90 * MS, f"the consumer waits for a job: {job}")
    sockets = {w[3] for w in waits(t, "fd", "redis reader")}
    check(len(sockets) == 2, f"two connections, a reader each: {sockets}")
    check(not t.all("SELECT name FROM task WHERE state != 'done'"), "nothing is left behind")
    none_blocked(t, "redis_async")

    out, t = record(directory, "real/redis_async_blocking", port, CLIENTS)
    check(out == f"consumer: no job came\n{CLIENTS} clients, {CLIENTS} right\n", out)
    found = blocked_in(t, "real/redis_async_blocking.c", "consumer", "/* here */", "read", ["consumer"],
                       least=200 * MS)
    check(len(found) == 1 and found[0][3] > 490 * MS, f"for as long as BLPOP waits in vain: {found}")

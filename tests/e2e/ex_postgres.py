"""ex_postgres - examples/real/pg_async.c, libpq's asynchronous calls on our loop, against a PostgreSQL of its own."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, line_of, none_blocked, place, record, side_by_side, waits
from real import until


@contextlib.contextmanager
def postgres(base):
    """A cluster in `base`, on a socket in there; run by a user who is not root, as it demands."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if not found:
        print("postgresql is not installed")
        sys.exit(77)
    bin_, as_user = os.path.dirname(found[-1]), []
    os.mkdir(f"{base}/pg", 0o700)
    if os.geteuid() == 0:
        shutil.chown(f"{base}/pg", "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    quiet = {"stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*as_user, f"{bin_}/initdb", "-D", f"{base}/pg", "-U", "test", "-A", "trust", "-N", "--no-locale",
                    "--no-instructions"], check=True, **quiet)
    with open(f"{base}/pg.log", "w") as log:
        process = subprocess.Popen([*as_user, f"{bin_}/postgres", "-D", f"{base}/pg", "-k", f"{base}/pg", "-c", "fsync=off",
                                    "-c", "listen_addresses="], stderr=log, **quiet)
    try:
        until(lambda: "ready to accept" in open(f"{base}/pg.log").read(), what="postgres")
        yield f"host={base}/pg user=test dbname=postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


with place() as directory, postgres(directory) as info:
    answers = [f"query {n}: {2 * n}" for n in (1, 2, 3, 4, 5)]
    out, t = record(directory, "real/pg_async", info, 5)
    check(out.splitlines() == answers, out)
    sleeps = [w for w in waits(t, "fd", "query %") if w[2] - w[1] > 150 * MS]
    check(sorted(w[0] for w in sleeps) == [f"query {n}" for n in (1, 2, 3, 4, 5)], f"each waits for its answer: {sleeps}")
    check({w[4] for w in sleeps} == {f"pg_query:{line_of('real/pg_async.c', 'PQsocket(c), POLLIN, deadline')}"}, f"{sleeps}")
    check(len({w[3] for w in sleeps}) == 2, f"on two connections: {sleeps}")
    side_by_side(sleeps[:2], "the first two")
    side_by_side(sleeps[2:4], "the next two")
    queued = waits(t, "sem", "query %")
    check([w[0] for w in queued] == ["query 3", "query 4", "query 5"], f"the others for a connection, in order: {queued}")
    check({t.one("SELECT kind || ' ' || name FROM object WHERE id = ?", w[3]) for w in queued} == {"sem connections"},
          f"the pool by name: {queued}")
    wakers = t.all("""SELECT task.name, waker.name FROM step p JOIN task ON task.id = p.task JOIN why ON why.id = p.why
                        JOIN task waker ON waker.id = p.waker WHERE why.name = 'sem' ORDER BY p.t""")
    check([w[0] for w in wakers] == ["query 3", "query 4", "query 5"] and wakers[0][1] in ("query 1", "query 2"),
          f"who gave them theirs: {wakers}")
    none_blocked(t, "pg_async")

    out, t = record(directory, "real/pg_async_blocking", info, 3)
    check(out.splitlines() == answers[:3], out)
    blocked_in(t, "real/pg_async_blocking.c", "query", "/* here */", "poll", ["query 1", "query 2", "query 3"])

"""ex_pipeline - examples/real/pipeline.c: back-pressure by bounded queues, and by a queue that was made for threads."""
import re
import sys

sys.path.insert(0, "tests/lib")
from examples import blocked_in, check, line_of, none_blocked, place, record, waits

JOBS, BACKLOG, WORKERS = 12, 4, 2


def jobs(out):
    return {int(n): digest for n, digest in re.findall(r"job (\d+): (\w{8})", out)}


with place() as directory:
    out, t = record(directory, "real/pipeline", JOBS)
    digests = jobs(out)
    check(sorted(digests) == list(range(1, JOBS + 1)), out)
    most = int(re.search(rf"{JOBS} of {JOBS} jobs, (\d+) in memory at most", out)[1])
    check(most <= BACKLOG + 1 + WORKERS + BACKLOG + 1, f"memory is bounded: {most}")
    source = "real/pipeline.c"
    put = waits(t, "queue_put", "produce")
    check(len(put) >= JOBS - BACKLOG - WORKERS - 2, f"the producer is held back: {put}")
    check({w[4] for w in put} == {f"produce:{line_of(source, 'ls_queue_put(p->made')}"}, f"where: {put}")
    check({t.one("SELECT kind || ' ' || name FROM object WHERE id = ?", w[3]) for w in put} == {"queue made"}, f"{put}")
    takers = {w[0] for w in t.all("""SELECT waker.name FROM step p JOIN why ON why.id = p.why
                                       JOIN task waker ON waker.id = p.waker WHERE why.name = 'queue_put'""")}
    check(takers <= {"digest 1", "digest 2"} and takers, f"who made room: {takers}")
    check(len(waits(t, "thread", "digest %")) == JOBS, "each digest on a thread")
    check(len(waits(t, "queue_get", "store")) >= JOBS / 2, "the last stage waits for work")
    check(not t.all("SELECT name FROM task WHERE state != 'done'"), "all stages end")
    none_blocked(t, "pipeline")

    out, t = record(directory, "real/pipeline_blocking", JOBS)
    check(jobs(out) == digests, f"the same digests: {out}")
    blocked_in(t, "real/pipeline_blocking.c", "put", "/* here */", "pthread_cond_wait", ["produce"], reason="lock")

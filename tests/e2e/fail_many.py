#!/usr/bin/env python3
"""Many and short: more loop threads than slots, threads and workers that come and go, thousands of processes, chains of
exec, long command lines; and a target that writes over the arena.  Each ends as without us, with a valid trace."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import TARGET, Place, check, went_well

with Place("300 loop threads, 256 slots") as place:
    p = place.record(TARGET, "threads", "300")
    went_well(p, p.stdout, "threads 300", place.name)
    t = place.trace()
    check(t.one("SELECT count(*) FROM loop") == 256, "as many loops as there are slots")
    check(t.one("SELECT count(*) FROM gap WHERE reason LIKE '%no free slot%'") == 1, "the trace says so")
    check("slot" in place.report(), "and the report")

with Place("400 loop threads one after another") as place:
    p = place.record(TARGET, "churn", "400")
    went_well(p, p.stdout, "churn 400", place.name)
    t = place.trace()
    check(t.one("SELECT count(*) FROM loop WHERE t_end IS NOT NULL") == 400, "each is a loop that ended")
    check(t.lost() == 0, "nothing lost")

with Place("200 workers") as place:
    p = place.record(TARGET, "workers", "200")
    went_well(p, p.stdout, "workers 200", place.name)
    t = place.trace()
    check(t.one("SELECT count(*) FROM loop") == 200 and t.lost() == 0, "each worker is a loop")
    check(t.one("SELECT count(*) FROM process") == 201, "and a process")

with Place("500 processes") as place:
    script = 'i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i + 1)); done; echo $i'
    start = time.monotonic()
    subprocess.run(["sh", "-c", script], stdout=subprocess.DEVNULL)
    bare = time.monotonic() - start
    p = place.record("sh", "-c", script)
    check(p.returncode == 0 and p.stdout == "500\n", f"{p.returncode} {p.stdout} {p.stderr}")
    print(f"         {bare:.2f} s bare, {time.monotonic() - start - bare:.2f} s recorded")
    check(place.trace().one("SELECT value FROM meta WHERE key = 'processes_attached'") >= 500, "all attached")

with Place("a chain of exec") as place:
    p = place.record("sh", "-c", f"exec env -- nice -n 0 sh -c 'exec env A=1 sh -c \"exec {TARGET} turns 60\"'")
    went_well(p, p.stdout, "turns 60", place.name)
    t = place.trace()
    check(t.one("SELECT exe FROM process WHERE id = 1").endswith("fail_loop"), "it is known by its last name")
    check(t.one("SELECT count(*) FROM loop") == 1 and len(t.stalls()) == 1, t.stalls())

with Place("a command line of 120,000 bytes") as place:
    p = place.record(TARGET, "turns", "20", *["x" * 1000] * 120)
    went_well(p, p.stdout, "turns 20", place.name)
    check("fail_loop" in place.trace().one("SELECT value FROM meta WHERE key = 'argv'"), "it is kept, in part")
    place.report()

with Place("a hostile target") as place:
    for _ in range(3):
        p = place.record(TARGET, "hostile", "600")
        check(p.returncode in (7, -11, -7), f"exit status {p.returncode}") # it may hit itself; the recorder it must not
        check("recorder died" not in p.stderr, p.stderr)
        place.trace()
        place.report()

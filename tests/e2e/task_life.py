#!/usr/bin/env python3
"""The invariant of a trace: the steps of each task fill its life to the nanosecond, run + queue + wait, and every wait says
why.  Checked on everything in build/examples that has a task; what is new there is checked, too."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import B, Place, check

# Servers, which do nothing while nobody comes; their own tests record them.
NOT_ALONE = {"echo_server"}
SECONDS = 8 # one that does not end by itself is ended then


def programs():
    for folder, _, files in sorted(os.walk(f"{B}/examples")):
        for name in sorted(files):
            path = f"{folder}/{name}"
            if os.access(path, os.X_OK) and not name.endswith((".d", ".so")):
                with open(path, "rb") as f:
                    data = f.read()
                if data[:4] == b"\x7fELF" and b"ls_spawn" in data:
                    yield name, path


def look(place, name):
    ask = place.sql
    if not ask("SELECT count(*) FROM task"):
        return 0
    check(ask("SELECT count(*) FROM gap") == 0, f"{name}: events were lost, nothing can be said")
    holes = ask("""SELECT group_concat(name || ': ' || got || ' of ' || life || ' ns') FROM (
        SELECT k.name AS name, (SELECT coalesce(sum(wait + queue + run), 0) FROM step WHERE task = k.id) AS got,
               CASE WHEN t_end IS NOT NULL THEN t_end WHEN state = 'running' THEN
                 (SELECT max(t + run) FROM step WHERE task = k.id) ELSE since END - t AS life
          FROM task k) WHERE got IS NOT life""")
    check(holes is None, f"{name}: the steps do not fill the life of {holes}")
    check(ask("SELECT count(*) FROM task WHERE run + queue + wait IS NOT "
              "(SELECT coalesce(sum(wait + queue + run), 0) FROM step WHERE task = task.id)") == 0, f"{name}: totals of tasks")
    check(ask("SELECT count(*) FROM step LEFT JOIN why ON why.id = step.why WHERE why.name IS NULL OR why.name = 'end'") == 0,
          f"{name}: a wait without a reason")
    check(ask("SELECT count(*) FROM step WHERE wait < 0 OR queue < 0 OR run < 0 OR wait IS NULL OR queue IS NULL") == 0,
          f"{name}: a part of a step that cannot be")
    check(ask("SELECT count(*) FROM task WHERE t_end IS NOT NULL AND outcome IS NULL") == 0, f"{name}: ended, and how?")
    check(ask("SELECT count(*) FROM task WHERE t_end IS NULL AND state = 'waiting' AND (why IS NULL OR since IS NULL)") == 0,
          f"{name}: alive at the end, and nobody knows what it waits for")
    check(ask("SELECT count(*) FROM step s JOIN why ON why.id = s.why WHERE s.wait > 0 AND s.site IS NULL "
              "AND why.name NOT IN ('spawn', 'yield')") == 0, f"{name}: a wait without a call site")
    return ask("SELECT count(*) FROM task")


seen = 0
for name, path in programs():
    if name in NOT_ALONE:
        continue
    with Place(name) as place:
        p = place.start(path, stdin=subprocess.DEVNULL)
        try:
            p.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            p.terminate() # reaches the program
            p.communicate(timeout=10)
        tasks = look(place, name)
        print(f"         {tasks} tasks, exit status {p.returncode}")
        seen += tasks > 0
check(seen >= 10, f"only {seen} programs with tasks in {B}/examples")

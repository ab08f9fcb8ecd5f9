#!/usr/bin/env python3
"""`tasks`, `tree` and the report's chains on live recordings of tests/targets/task_shapes.c: a deadlock of two locks, a gather
in a gather, an error three awaits deep, a crowd, what is left behind, what nobody took, blocks that are meant."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import B, LOOPSCOPE, Place, check

SHAPES = f"{B}/tests/targets/task_shapes"


def ask(place, *words, status=0):
    env = {**place.env, "COLUMNS": "120"}
    p = subprocess.run([LOOPSCOPE, *words, place.file], env=env, capture_output=True, text=True, timeout=60)
    check(p.returncode == status, f"{words}: exit status {p.returncode}: {p.stderr}")
    return p.stdout


def record(place, *shape):
    p = place.record(SHAPES, *shape)
    check(p.returncode == 0, f"{shape}: {p.returncode} {p.stderr}")


with Place("a deadlock of two locks") as place:
    record(place, "deadlock")
    text = ask(place, "tree")
    check(text.count("deadlock: ") == 1, text)
    check("a #" in text and "-> lock 'y' held by b #" in text and "-> lock 'x' held by a #" in text, text)
    check("|- a #" in text and "`- b #" in text, f"both stand under main's gather: {text}")
    tree = json.loads(ask(place, "tree", "--json"))
    by_name = {t["name"]: t for t in tree["tasks"]}
    check(by_name["a"]["blocked_by"] == [by_name["b"]["id"]] and by_name["a"]["target"]["name"] == "y", by_name["a"])
    check(sorted(by_name["main"]["awaits"]) == sorted([by_name["a"]["id"], by_name["b"]["id"]]), by_name["main"])
    check(by_name["a"]["await_at"].startswith("take_both task_shapes.c:"), by_name["a"])
    ask(place, "tree", "--fail-on-deadlock", status=1)
    waiting = json.loads(ask(place, "tasks", "--state", "waiting", "--sort", "wait", "--json"))
    check(waiting["found"] == 3, waiting)
    check("lock 'y', held by b #" in ask(place, "tasks"), "tasks names the holder")
    # time travel: before they took their second locks nobody waited for anybody but main
    t = place.sql("SELECT s.t - s.queue - s.wait / 2 FROM step s JOIN task k ON k.id = s.task JOIN why ON why.id = s.why "
                  "WHERE k.name = 'b' AND why.name = 'sleep'")
    earlier = json.loads(ask(place, "tree", "--json", "--at", f"{t}ns"))
    check(not earlier["deadlocks"] and {x["why"] for x in earlier["tasks"] if x["name"] in "ab"} == {"sleep"}, earlier)

with Place("a gather three deep") as place:
    record(place, "gather")
    tree = json.loads(ask(place, "tree", "--json"))
    tasks = {t["id"]: t for t in tree["tasks"]}

    def depth(t):
        return 1 + max((depth(tasks[a]) for a in t["awaits"]), default=0)

    main = next(t for t in tree["tasks"] if t["name"] == "main")
    check(depth(main) == 3 and len(tasks) == 8 and len(main["awaits"]) == 2, tree)
    check(all(t["why"] == "sleep" for t in tree["tasks"] if t["name"].startswith("0-")), tree)
    check("|  |- 0-left #" in ask(place, "tree") and "`- 1-right #" in ask(place, "tree"), ask(place, "tree"))

with Place("an error three awaits deep") as place:
    record(place, "error")
    report = json.loads(ask(place, "report", "--json"))
    failures = report["failures"]
    check(len(failures) == 1 and failures[0]["error_name"] == "ENOENT" and failures[0]["name"] == "depth 1", failures)
    check([a["name"] for a in failures[0]["awaited_by"]] == ["depth 2", "depth 3", "main"], failures)
    check(all("task_shapes.c:" in a["await_at"] for a in failures[0]["awaited_by"]), failures)
    check("depth 1 #" in ask(place, "report") and "< awaited by depth 3 #" in ask(place, "report").replace("\n             ", " "),
          ask(place, "report"))

with Place("a crowd") as place:
    record(place, "crowd", "3000")
    text = ask(place, "tree")
    check("client * x 3,000" in text and "waits for queue 'jobs' (get)" in text and text.count("\n") < 10, text)
    check("client * x 3,000" in ask(place, "report"), "the report has them in one line")
    check(len(json.loads(ask(place, "tasks", "--json", "--limit", "5"))["tasks"]) == 5, "--limit")

with Place("what main leaves behind") as place:
    record(place, "closed")
    text = ask(place, "tree")
    check(text.startswith("Before the loop was closed") and "left behind #" in text, text)
    unobserved = json.loads(ask(place, "report", "--json"))["unobserved"]
    check([(u["kind"], u["name"]) for u in unobserved] == [("cancelled", "left behind")], unobserved)

with Place("waits that cannot end") as place:
    record(place, "dead_ends")
    lints = json.loads(ask(place, "report", "--json"))["lints"]
    check(len(lints) == 3 and lints[0].startswith("deadlock: all tasks of a loop waited for one another at "), lints)
    check(lints[1].startswith("1 wait was refused with EDEADLK, first at ") and
          lints[1].endswith(": task 'b' waits for lock 'x' held by 'a' which waits for lock 'y' held by 'b'"), lints)
    check(lints[2].startswith("1 task went on awaiting when main was over") and "(deaf)" in lints[2], lints)
    check("deaf task_shapes.c:" in ask(place, "tree"), ask(place, "tree"))

with Place("results that nobody takes") as place:
    record(place, "unawaited")
    report = json.loads(ask(place, "report", "--json"))
    got = {(u["kind"], u["pattern"]): u["n"] for u in report["unobserved"]}
    check(got == {("error", "lost error"): 1, ("never_awaited", "forgotten *"): 3}, got)
    ask(place, "report", "--fail-if", "unobserved>0", status=1)
    ask(place, "report", "--fail-if", "never_awaited>3")

with Place("blocks that are meant") as place:
    record(place, "allow")
    report = json.loads(ask(place, "report", "--json"))
    check([s["allowed"] for s in report["allowed"]] == ["reads its configuration"], report["allowed"])
    sleeps = [s for s in report["stalls"] if s["call"] == "nanosleep"]
    check(len(sleeps) == 1, f"a block of which only a part is meant is a stall: {report['stalls']}")
    check(place.sql("SELECT suppressed FROM stall WHERE allowed IS NOT NULL") == 1, "suppressed")
    check("allowed: reads its configuration" in ask(place, "report"), ask(place, "report"))
    ask(place, "report", "--fail-if", "stall.call>150ms")
    ask(place, "report", "--fail-if", "stall.call>50ms", status=1)

with Place("tasks that compute") as place:
    record(place, "spin")
    check("CPU-bound" in ask(place, "report"), ask(place, "report"))

with Place("a group in which not all run at once") as place:
    record(place, "turns")
    tree = json.loads(ask(place, "tree", "--json"))
    check(not tree["deadlocks"], tree["deadlocks"])
    pages = [t for t in tree["tasks"] if t["name"].startswith("page ")]
    check([t["why"] for t in pages] == ["sleep"] * 2 + ["group"] * 4 and not any(t["awaits"] for t in pages), pages)
    main = next(t for t in tree["tasks"] if t["name"] == "main")
    check(main["awaits"] == [t["id"] for t in pages], main)
    check("`- page * x 4 " in ask(place, "tree"), ask(place, "tree"))

with Place("a turn that never comes") as place:
    record(place, "full")
    text = ask(place, "tree", "--fail-on-deadlock", status=1)
    check("group 'crawl', full with a #" in text and text.count("deadlock: ") == 1, text)

with Place("a wait for the first of two") as place:
    record(place, "first")
    tree = json.loads(ask(place, "tree", "--json"))
    check(not tree["deadlocks"], tree["deadlocks"])
    check(len(next(t for t in tree["tasks"] if t["name"] == "main")["awaits"]) == 2, tree)

with Place("several long tasks in one turn") as place:
    record(place, "two")
    runs = place.sql("SELECT group_concat(DISTINCT k.name) FROM stall s JOIN task k ON k.id = s.task WHERE s.dur > 150000000")
    longest = place.sql("SELECT k.name FROM step p JOIN task k ON k.id = p.task ORDER BY p.run DESC LIMIT 1")
    if place.sql("SELECT count(*) FROM stall WHERE dur > 150000000") == 1: # a machine that is busy may have cut it in two
        check(runs == longest, f"the stall is named after the longest of them, {longest}: {runs}")
        check(f"{longest} from" in ask(place, "report"), ask(place, "report"))

with Place("nothing to show") as place:
    place.record("true")
    for command in ("tasks", "tree"):
        check("No tasks" in ask(place, command), command)
    for words in (["tree", "--at", "99h"], ["tree", "--at", "soon"], ["tasks", "--state", "odd"]):
        p = subprocess.run([LOOPSCOPE, *words, place.file], capture_output=True, text=True)
        check(p.returncode == 2 and p.stderr.count("\n") == 1, f"{words}: {p.returncode} {p.stderr}")

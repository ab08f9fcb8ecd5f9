"""What a trace tells of waits for tasks: the members of gathers, waits and groups, who waits for its turn, where a cancel
went, what was observed and what detached.  The program is tests/targets/tasks_trace.c."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import B, Place, check

with Place("waits for tasks") as place:
    p = place.record(f"{B}/tests/targets/tasks_trace")
    check(p.returncode == 0, p.stderr)

    def rows(query):
        return place.sql(f"SELECT group_concat(x, '; ') FROM ({query})")

    check(place.sql("SELECT count(*) FROM gap") == 0, "events were lost")
    members = rows("""SELECT o.name || ': ' || group_concat(t.name, ' ') AS x FROM
        (SELECT DISTINCT object, task FROM member ORDER BY object, task) m JOIN object o ON o.id = m.object
        JOIN task t ON t.id = m.task WHERE o.kind IN ('group', 'select') GROUP BY o.id ORDER BY o.id""")
    check(members == "wait of 3: nap-0 nap-1 nap-2; gather of 2: nap-0 nap-1; jobs: breaks job-0 job-1 job-2; "
          "reap of 1: kept", members)
    waits = rows("""SELECT why.name || coalesce(' ' || o.name, '') || coalesce(' ' || t.name, '') AS x
        FROM step s JOIN task k ON k.id = s.task JOIN why ON why.id = s.why LEFT JOIN object o ON o.id = s.target
        AND why.name IN ('group', 'future') LEFT JOIN task t ON t.id = s.target AND why.name = 'task'
        WHERE k.name = 'main' ORDER BY s.t""")
    check(waits == "spawn; group wait of 3; group gather of 2; group jobs; task outer; task kept; group reap of 1; sleep; "
          "task asks", waits)
    turn = rows("""SELECT k.name || ' ' || why.name || ' ' || o.name AS x FROM task k JOIN step s ON s.task = k.id
        JOIN why ON why.id = s.why JOIN object o ON o.id = s.target WHERE k.name LIKE 'job-%' AND why.name = 'group'
        ORDER BY k.name""")
    check(turn == "job-1 group jobs; job-2 group jobs", f"who waits for its turn, to run or to be cancelled: {turn}")
    ends = rows("SELECT name || ' ' || outcome AS x FROM task WHERE name != 'main' ORDER BY id")
    check(ends == "nap-0 ok; nap-1 ok; nap-2 ok; breaks error; job-0 ok; job-1 cancelled; job-2 cancelled; inner cancelled; "
          "outer cancelled; kept cancelled; asks ok", ends)
    lost = rows("SELECT name || ' ' || detached AS x FROM task WHERE NOT observed AND name != 'main' ORDER BY id")
    check(lost == "inner 1; outer 1", f"nobody took these: {lost}")
    waker = rows("""SELECT k.name || ' by ' || w.name AS x FROM step s JOIN task k ON k.id = s.task JOIN task w ON
        w.id = s.waker WHERE k.name = 'outer' AND s.waker ORDER BY s.t""")
    check(waker.endswith("outer by inner"), f"the cancel came back through inner: {waker}")
    check(place.sql("SELECT count(*) FROM task WHERE run + queue + wait IS NOT t_end - t") == 0, "a life with holes")

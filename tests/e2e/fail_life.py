#!/usr/bin/env python3
"""How a recording begins and ends: what cannot be started, --duration, a daemon that lives on and `stop`, two recordings
into one file, reports of a file that is still written, programs that start their own recorder."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import B, LOOPSCOPE, TARGET, Place, check, until, went_well

with Place("what cannot be started") as place:
    for command, status in (("/nowhere/x", 127), ("no-such-command", 127), ("/etc/passwd", 126), ("/", 126)):
        p = place.record(command)
        check(p.returncode == status and command in p.stderr, f"{command}: {p.returncode} {p.stderr}")
    script = f"{place.dir}/script"
    with open(script, "w") as f:
        f.write("#!/nowhere/interpreter\n")
    os.chmod(script, 0o755)
    p = place.record(script)
    check(p.returncode in (126, 127), f"a script without interpreter: {p.returncode} {p.stderr}")
    for file in ("/nowhere/t.db", "/proc/t.db", place.dir):
        p = place.record("true", file=file)
        check(p.returncode == 125 and p.stderr.count("\n") == 1, f"{file}: {p.returncode} {p.stderr}")

with Place("record -- true is quick") as place:
    best = 9
    for _ in range(5):
        start = time.monotonic()
        check(place.record("true").returncode == 0, "true")
        best = min(best, time.monotonic() - start)
    print(f"         {best * 1000:.0f} ms")
    check(best < 0.5, f"{best} s")

with Place("--duration") as place:
    start = time.monotonic()
    p = place.start(TARGET, "spin", "1500", options=("--duration", "300ms"))
    until(lambda: place.sql("SELECT value FROM meta WHERE key = 'finalized'") == 1, 5, "the file is finished early")
    check(p.poll() is None, "and the command goes on")
    out, err = p.communicate(timeout=20)
    went_well(p, out, "spin 1500", place.name)
    t = place.trace()
    check(t.one("SELECT value FROM meta WHERE key = 'ended_by'") == "duration", "the trace says why")
    check(2.5e8 < t.one("SELECT value FROM meta WHERE key = 'duration_ns'") < 1.2e9, "and is so long")

with Place("a daemon lives on") as place:
    start = time.monotonic()
    p = place.record(TARGET, "daemon", "30000")
    went_well(p, p.stdout, "daemon 30000", place.name)
    check(time.monotonic() - start < 10, "record returns all the same")
    check("lives on" in p.stderr and "loopscope stop" in p.stderr, p.stderr)
    daemon = int(p.stdout.split()[0])
    until(lambda: (place.sql("SELECT count(*) FROM iteration") or 0) > 50, 10, "it is recorded")
    start = time.monotonic()
    check("STILL RECORDING" in place.report(), "a report of it says so")
    check(time.monotonic() - start < 3, "and does not wait")
    p = place.record("true")
    check(p.returncode == 125 and ("in use" in p.stderr or "busy" in p.stderr), f"its file is not taken: {p.stderr}")
    p = place.loopscope("repair", place.file)
    check(p.returncode == 2 and "in use" in p.stderr, p.stderr)
    p = place.loopscope("stop", place.file)
    check(p.returncode == 0, p.stderr)
    check(os.path.exists(f"/proc/{daemon}"), "the daemon goes on")
    t = place.trace()
    check(t.one("SELECT value FROM meta WHERE key = 'ended_by'") == "stop" and t.lost() == 0, "the file is finished")
    p = place.loopscope("stop", place.file)
    check(p.returncode == 0 and "not being recorded" in p.stderr, p.stderr)
    os.kill(daemon, 9)

with Place("a daemon's end is the recording's") as place:
    p = place.record(TARGET, "daemon", "1000")
    until(lambda: place.sql("SELECT value FROM meta WHERE key = 'finalized'") == 1, 15, "the file is finished")
    check(place.trace().one("SELECT count(*) FROM iteration") > 50, "and has the daemon's loop")

with Place("a stall is there while it lasts") as place:
    p = place.start(TARGET, "hang", "2500")
    p.stdout.readline()
    start = time.monotonic()
    until(lambda: "usleep" in place.report(), 5, "in the report")
    check(p.poll() is None and time.monotonic() - start < 2.4, "before its end")
    out, _ = p.communicate(timeout=20)
    went_well(p, out, "hang 2500", place.name)
    stalls = place.trace().stalls()
    check(len(stalls) == 1 and 2.4e9 < stalls[0][2] < 2.8e9, f"once, at its true length: {stalls}")

with Place("two recordings at once") as place:
    one = place.start(TARGET, "spin", "800")
    until(lambda: place.sql("SELECT 1 FROM meta"), 5)
    p = place.record(TARGET, "turns", "20")
    check(p.returncode == 125, f"the second into the same file is refused: {p.returncode} {p.stderr}")
    p = place.record(TARGET, "turns", "20", file=f"{place.dir}/two.db")
    went_well(p, p.stdout, "turns 20", place.name)
    out, _ = one.communicate(timeout=20)
    went_well(one, out, "spin 800", place.name)
    place.trace()

for nonsense in ("/nowhere", "", "/dev/null", "/dev/zero", "/etc/passwd", "relative", "/", "x" * 5000):
    env = {**os.environ, "LOOPSCOPE_SESSION": nonsense, "LD_PRELOAD": f"{B}/libloopscope-preload.so"}
    p = subprocess.run([TARGET, "turns", "6"], env=env, capture_output=True, text=True, timeout=20)
    went_well(p, p.stdout, "turns 6", f"LOOPSCOPE_SESSION={nonsense[:20]}")
    check(p.stderr == "", p.stderr)

if os.getuid() == 0 and shutil.which("setpriv"):
    with Place("another user's exec") as place:
        os.chmod(place.dir, 0o755)
        own = f"{place.dir}/target" # the build may be where that user cannot go
        shutil.copy(TARGET, own)
        shutil.copy(f"{B}/libloopscope-preload.so", place.dir)
        shutil.copy(LOOPSCOPE, f"{place.dir}/loopscope")
        p = subprocess.run([f"{place.dir}/loopscope", "record", "-q", "-o", place.file, "--", "setpriv", "--reuid=65534",
                            "--regid=65534", "--clear-groups", own, "turns", "20"], env=place.env, capture_output=True, text=True,
                           timeout=60)
        went_well(p, p.stdout, "turns 20", place.name)
        check(place.trace().one("SELECT count(*) FROM iteration") >= 18, "its loop is recorded")

with Place("LOOPSCOPE_RECORD") as place:
    example = f"{B}/examples/greet"
    bare = subprocess.run([example], capture_output=True, text=True, timeout=20)
    env = {**place.env, "LOOPSCOPE_RECORD": place.file}
    p = subprocess.run([example], env=env, capture_output=True, text=True, timeout=20)
    check((p.returncode, p.stdout) == (bare.returncode, bare.stdout), f"{p.returncode} {p.stdout} {p.stderr}")
    until(lambda: place.sql("SELECT value FROM meta WHERE key = 'finalized'") == 1, 10, "the file is finished")
    check(place.trace().one("SELECT count(*) FROM task") > 0, "it has its tasks")
    env["LOOPSCOPE_RECORD"] = "/nowhere/t.db"
    p = subprocess.run([example], env=env, capture_output=True, text=True, timeout=20)
    check((p.returncode, p.stdout) == (bare.returncode, bare.stdout), f"{p.returncode} {p.stdout} {p.stderr}")

#!/usr/bin/env python3
"""kill -9 and SIGSTOP of each process of a recording: the trace is whole or can be repaired, says what happened, and
whoever was not hit never notices."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import TARGET, Place, check, until, went_well


def recording(place):
    return lambda: (place.sql("SELECT count(*) FROM iteration") or 0) > 20


with Place("kill -9 of the target") as place:
    p = place.start(TARGET, "spin", "60000")
    until(recording(place))
    os.kill(place.find("fail_loop"), signal.SIGKILL)
    _, err = p.communicate(timeout=20)
    check(p.returncode == -signal.SIGKILL, f"record ends as the command: {p.returncode}")
    t = place.trace()
    check(t.one("SELECT exit_signal FROM process WHERE id = 1") == 9, "the trace says how it ended")
    check(t.one("SELECT count(*) FROM iteration") > 20 and t.lost() == 0, "nothing lost")
    check("no stall" in err, f"its end is no stall: {err}")

with Place("kill -9 of the target in the middle of a stall") as place:
    p = place.start(TARGET, "hang", "60000")
    p.stdout.readline()
    until(lambda: place.sql("SELECT count(*) FROM stall WHERE dur > 1000000000"), 10, "a stall over 1 s is in the file")
    os.kill(place.find("fail_loop"), signal.SIGKILL)
    p.communicate(timeout=20)
    t = place.trace()
    stalls = t.all("SELECT dur, cause, detail FROM stall")
    check(len(stalls) == 1 and stalls[0][0] > 1e9 and stalls[0][1] == "call" and "usleep" in stalls[0][2], stalls)

with Place("kill -9 of a worker") as place:
    p = place.start("sh", "-c", f"{TARGET} spin 60000 & {TARGET} spin 1200 & wait $!; echo first $?; wait; echo all")
    until(lambda: (place.sql("SELECT count(*) FROM loop") or 0) == 2, what="two loops")
    worker = place.sql("SELECT pid FROM process WHERE cmdline LIKE '%60000'")
    os.kill(worker, signal.SIGKILL)
    out, err = p.communicate(timeout=20)
    check(p.returncode == 0 and "first 7" in out and "all" in out, f"the other and the parent go on: {out} {err}")
    t = place.trace()
    check(t.one("SELECT l.t_end IS NOT NULL FROM loop l JOIN thread ON thread.id = l.thread JOIN process p ON "
                "p.id = thread.process WHERE p.pid = ?", worker) == 1, "its loop ends there")
    check(not t.stalls() and t.lost() == 0, t.stalls())

with Place("kill -9 of the recorder", sweep_first=True) as place:
    p = place.start(TARGET, "spin", "1500")
    until(recording(place))
    os.kill(place.find("loopscope-rec"), signal.SIGKILL)
    out, err = p.communicate(timeout=20)
    went_well(p, out, "spin 1500", place.name)
    check("the recorder died" in err and "repair" in err, err)
    check("CUT SHORT" in place.report(), "the report says so")
    fixed = place.loopscope("repair", place.file)
    check(fixed.returncode == 0, fixed.stderr)
    check(place.trace().one("SELECT count(*) FROM iteration") > 20, "what was committed is there")

with Place("kill -9 of record") as place:
    p = place.start(TARGET, "spin", "60000")
    until(recording(place))
    recorder, target = place.find("loopscope-rec"), place.find("fail_loop")
    p.kill()
    p.wait()
    until(lambda: not os.path.exists(f"/proc/{target}"), 5, "the signal reaches the command")
    until(lambda: not os.path.exists(f"/proc/{recorder}"), 10, "the recorder finishes")
    check(place.trace().one("SELECT exit_signal FROM process WHERE id = 1") == 9, "the trace says how it ended")

with Place("SIGSTOP of the target for 1 s") as place:
    p = place.start(TARGET, "spin", "2000")
    until(recording(place))
    target = place.find("fail_loop")
    os.kill(target, signal.SIGSTOP)
    time.sleep(1)
    os.kill(target, signal.SIGCONT)
    out, _ = p.communicate(timeout=20)
    went_well(p, out, "spin 2000", place.name)
    t = place.trace()
    for _, _, dur, cause, detail in t.stalls():
        check(cause == "stopped", f"{dur / 1e6:.0f} ms {cause} {detail}")

with Place("SIGSTOP of a busy target for 1 s") as place:
    p = place.start("sh", "-c", f"exec {TARGET} hang 800")
    p.stdout.readline()
    target = place.find("fail_loop")
    os.kill(target, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(target, signal.SIGCONT)
    out, _ = p.communicate(timeout=20)
    went_well(p, out, "hang 800", place.name)
    stalls = place.trace().stalls()
    check(len(stalls) == 1 and stalls[0][2] > 1.2e9, stalls)

with Place("SIGSTOP of the recorder for 2 s") as place:
    p = place.start(TARGET, "spin", "2500")
    until(recording(place))
    recorder = place.find("loopscope-rec")
    os.kill(recorder, signal.SIGSTOP)
    time.sleep(2)
    os.kill(recorder, signal.SIGCONT)
    out, _ = p.communicate(timeout=20)
    went_well(p, out, "spin 2500", place.name)
    t = place.trace()
    check(t.one("SELECT count(*) FROM iteration") > 300 and t.lost() == 0 and not t.stalls(), t.stalls())

with Place("the recorder is stopped and never continued", sweep_first=True) as place:
    p = place.start(TARGET, "spin", "700")
    until(recording(place))
    recorder = place.find("loopscope-rec")
    os.kill(recorder, signal.SIGSTOP)
    went = lambda: not os.path.exists(f"/proc/{target}")
    target = place.find("fail_loop")
    until(went, 5, "the target ends")
    time.sleep(0.3)
    check(p.poll() is None, "record waits for the file")
    p.send_signal(signal.SIGINT) # and is let go
    out, err = p.communicate(timeout=20)
    os.kill(recorder, signal.SIGKILL)
    check("still being finished" in err, err)
    went_well(p, out, "spin 700", place.name)

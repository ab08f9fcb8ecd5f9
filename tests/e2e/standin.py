"""standin - `record` is taken for the command: each case is run bare and under record, and must give the same."""
import fcntl
import os
import pty
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from real import LOOPSCOPE, check, until

DIR = tempfile.mkdtemp(prefix="loopscope-test-")
RECORD = [LOOPSCOPE, "record", "-q", "-o", f"{DIR}/t.db", "--"]


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def both(name, case):
    bare, recorded = case([]), case(RECORD)
    check(bare == recorded, f"{name}: bare {bare!r}, recorded {recorded!r}")


def python(text):
    return [sys.executable, "-c", text]


# --- what was there before the exec: dispositions, timers, masks

def sigchld_ignored(prefix):
    p = subprocess.run(prefix + ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"], stdout=subprocess.PIPE,
                       preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN), timeout=20)
    return p.returncode, p.stdout


def signals_inherited(prefix):
    def before():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1, signal.SIGCHLD})
    p = subprocess.run(prefix + ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"], stdout=subprocess.PIPE,
                       preexec_fn=before, timeout=20)
    return p.returncode, p.stdout


def alarm_survives(prefix):
    start = time.monotonic()
    p = subprocess.run(prefix + ["sleep", "10"], preexec_fn=lambda: signal.alarm(1))
    return p.returncode, time.monotonic() - start < 6


def limits(prefix):
    """What the recorder needs it takes within the command's limits, and leaves them as they are."""
    result = []
    for what, size in (resource.RLIMIT_AS, 1 << 30), (resource.RLIMIT_FSIZE, 16 << 20), (resource.RLIMIT_NOFILE, 16):
        p = subprocess.run(prefix + ["cat", "/proc/self/limits"], stdout=subprocess.PIPE, cwd=DIR,
                           preexec_fn=lambda what=what, size=size: resource.setrlimit(what, (size, size)))
        result.append((p.returncode, p.stdout))
    return result


def exit_codes(prefix):
    def code(script):
        return subprocess.run(prefix + ["sh", "-c", script]).returncode
    return [code(f"exit {n}") for n in (0, 1, 125, 127, 255)] + [code(f"kill -{s} $$") for s in (1, 6, 9, 11, 15, 34)]


# --- descriptors: what the command closes is closed

def output_closed(prefix):
    r, w = os.pipe()
    p = subprocess.Popen(prefix + ["sh", "-c", "exec >/dev/null; read x"], stdin=subprocess.PIPE, stdout=w)
    os.close(w)
    end = os.read(r, 1)
    alive = p.poll() is None
    p.communicate(b"\n", timeout=20)
    os.close(r)
    return end, alive, p.returncode


def input_closed(prefix):
    r, w = os.pipe()
    p = subprocess.Popen(prefix + ["sh", "-c", "exec </dev/null; echo; read x <&2"], stdin=r, stdout=subprocess.PIPE,
                         stderr=(child := os.pipe())[0])
    os.close(r)
    os.close(child[0])
    p.stdout.readline()
    told = False
    try:
        until(lambda: os.write(w, b"x") != 1, 2)
    except BrokenPipeError:
        told = True
    except AssertionError:
        pass
    os.close(child[1])
    p.wait(20)
    return told, p.returncode


def lock_released(prefix):
    with open(f"{DIR}/lock", "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        p = subprocess.Popen(prefix + ["sh", "-c", f"exec {f.fileno()}>&-; echo; read x"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, pass_fds=[f.fileno()])
    p.stdout.readline()
    free = True
    with open(f"{DIR}/lock", "w") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            free = False
    p.communicate(b"\n", timeout=20)
    return free, p.returncode


# --- signals: each arrives once, whoever it was sent to

COUNTER = """
import os, signal, sys, time
n = {}
def got(s, f): n[s] = n.get(s, 0) + 1
for s in (1, 2, 3, 10, 12, 14, 15, 17, 18, 20, 23, 28): signal.signal(s, got)
print(os.getpid(), flush=True)
while 12 not in n: time.sleep(0.05)
print(sorted(n.items()))
"""


def counted(prefix, send, group=True):
    p = subprocess.Popen(prefix + python(COUNTER), stdout=subprocess.PIPE, start_new_session=group)
    command = int(p.stdout.readline())
    send(p.pid, command)
    time.sleep(0.2)
    os.kill(p.pid, signal.SIGUSR2)
    out = p.communicate(timeout=20)[0]
    return p.returncode, out


def signals_alone(prefix):
    return counted(prefix, lambda pid, command: [os.kill(pid, s) for s in (1, 2, 3, 10, 14, 15, 17, 23, 28)
                                                 if s != 17])


def signals_group(prefix):
    return counted(prefix, lambda pid, command: [os.killpg(pid, s) for s in (1, 2, 3, 10, 14, 15, 23, 28)])


def stopped_and_continued(stop, go):
    def case(prefix):
        seen = []

        def send(pid, command):
            stop(pid, command)
            until(lambda: state(pid) == "T" and state(command) == "T", 5, "stopped")
            seen.append(os.waitid(os.P_PID, pid, os.WSTOPPED).si_status)
            go(pid, command)
            until(lambda: state(pid) != "T" and state(command) != "T", 5, "continued")
            time.sleep(0.3)
            seen.append(state(pid) != "T" and state(command) != "T")
        return counted(prefix, send), seen
    return case


def early_signal(prefix):
    """^C, as it were, before the command has begun: by the group, at many moments."""
    codes = set()
    for i in range(12):
        p = subprocess.Popen(prefix + ["sleep", "5"], start_new_session=True)
        time.sleep(0.004 * i)
        os.killpg(p.pid, signal.SIGINT)
        codes.add(p.wait(4))
    return codes


def hung_up(prefix):
    """The terminal goes away: the kernel tells the session's leader alone."""
    r, w = os.pipe()
    pid, master = pty.fork()
    if pid == 0:
        os.set_inheritable(w, True)
        os.execvp((prefix + ["sh"])[0], prefix + ["sh", "-c", f"trap 'echo hup >&{w}; exit 3' HUP; echo ready; "
                                                              "while :; do sleep 0.1; done"])
    os.close(w)
    out = b""
    while b"ready" not in out:
        out += os.read(master, 100)
    os.close(master)
    end = os.read(r, 10)
    status = os.waitpid(pid, 0)[1]
    os.close(r)
    return end, status


def asan(prefix):
    path = f"{DIR}/asan"
    if not os.path.exists(path):
        source = "#include <stdio.h>\nint main(void) { puts(\"hi\"); return 3; }\n"
        if subprocess.run(["gcc", "-xc", "-", "-fsanitize=address", "-o", path], input=source.encode(),
                          stderr=subprocess.DEVNULL).returncode:
            return None
    p = subprocess.run(prefix + [path], capture_output=True)
    return p.returncode, p.stdout, p.stderr


both("exit codes", exit_codes)
both("limits", limits)
both("SIGCHLD ignored", sigchld_ignored)
both("mask and dispositions", signals_inherited)
both("alarm before exec", alarm_survives)
both("stdout closed", output_closed)
both("stdin closed", input_closed)
both("a lock's descriptor closed", lock_released)
both("signals to us", signals_alone)
both("signals to the group", signals_group)
STOP, TSTP, CONT = signal.SIGSTOP, signal.SIGTSTP, signal.SIGCONT
to_us = {s: lambda pid, command, s=s: os.kill(pid, s) for s in (STOP, CONT)}
to_group = {s: lambda pid, command, s=s: os.killpg(pid, s) for s in (STOP, CONT)}
to_command = {s: lambda pid, command, s=s: os.kill(command, s) for s in (STOP, CONT)}
for name, stop in ("us", to_us), ("the group", to_group), ("the command", to_command):
    for to, go in ("us", to_us), ("the group", to_group), ("the command", to_command):
        if name == "the group" and to == "the command":
            continue  # bare, that is the same process
        both(f"SIGSTOP to {name}, SIGCONT to {to}", stopped_and_continued(stop[STOP], go[CONT]))
both("a signal before the start", early_signal)
both("terminal gone", hung_up)
both("AddressSanitizer", asan)

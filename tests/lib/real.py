"""real.py - records a real program from outside, as a user does, and opens the trace.  For tests/e2e/real_*.py."""
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

B = os.path.abspath(os.environ.get("B", "build"))
LOOPSCOPE = f"{B}/loopscope"


def pressure():
    """For how many us some thread of this machine had to wait for a CPU, since it was started; 0 when it does not say."""
    try:
        return int(open("/proc/pressure/cpu").readline().split("total=")[1])
    except (OSError, IndexError):
        return 0


BEGAN = time.monotonic(), pressure()


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            print(f"{p} is not installed")
            sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, seconds=20, what="condition"):
    """Polls; a test never sleeps and hopes."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def recorded(command, *options, env=None, cwd=None, stdout=subprocess.DEVNULL):
    """Runs `command` under record; gives (process, path of the trace).  TERM at the end, then waits for the file."""
    directory = tempfile.mkdtemp(prefix="loopscope-test-")
    path = f"{directory}/t.db"
    process = subprocess.Popen([LOOPSCOPE, "record", "-q", "-o", path, *options, "--", *command], stdout=stdout,
                               env=env, cwd=cwd or directory)
    try:
        yield process, path
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError("record did not end within 60 s of SIGTERM")


class Trace:
    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        assert self.one("PRAGMA integrity_check") == "ok"
        assert self.one("SELECT value FROM meta WHERE key = 'finalized'") == 1, "not finalized"
        self.t0 = self.one("SELECT value FROM meta WHERE key = 't0_realtime_ns'")

    def all(self, sql, *args):
        return self.db.execute(sql, args).fetchall()

    def one(self, sql, *args):
        row = self.db.execute(sql, args).fetchone()
        return row[0] if row else None

    def stalls(self):
        """[(id, wall-clock start ns, length ns, cause, detail)] in order"""
        return self.all("SELECT id, t + ?, dur, cause, detail FROM stall ORDER BY t", self.t0)

    def runq(self, stall):
        """For how many ns it waited for a CPU; None when nobody could look."""
        return self.one("SELECT runq FROM stall WHERE id = ?", stall)

    def starved(self, stall):
        """A stall that the machine made, not the program: it waited for a CPU for half of the time or more; or nobody
        could look while it lasted, on a machine where threads did wait for CPUs a fifth of the time."""
        dur, runq = self.db.execute("SELECT dur, runq FROM stall WHERE id = ?", (stall,)).fetchone()
        if runq is None:
            return pressure() - BEGAN[1] > (time.monotonic() - BEGAN[0]) * 1e6 / 5
        return runq >= dur / 2

    def functions(self, stall):
        return {r[0] for r in self.all(
            "SELECT function FROM stack_line WHERE stack IN (SELECT stack FROM stall WHERE id = ?1 "
            "UNION SELECT stack FROM sample WHERE stall = ?1)", stall)} - {None}

    def lost(self):
        return self.one("SELECT value FROM meta WHERE key = 'lost'")


def near(told, length, runq=0):
    """Two lengths in ns, as the issue has it: within max(1 ms, 2 %).  A turn may be longer than what the program measured
    in it, by its own wait for a CPU before or after that."""
    return -max(1e6, 0.02 * told) <= length - told <= max(1e6, 0.02 * told) + (runq or 0)


def check(ok, what):
    if not ok:
        print(f"not as expected: {what}")
        sys.exit(1)

"""fail.py - runs record in a place of its own, so that a test can hurt its processes and then see what is left behind."""
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from real import B, LOOPSCOPE, Trace, check, need, until

TARGET = f"{B}/tests/targets/fail_loop"


class Place:
    """A directory on tmpfs for the trace, and one for the arena; `with` ends by looking for leftovers in them."""

    def __init__(self, name, sweep_first=False):
        self.name, self.sweep_first = name, sweep_first

    def __enter__(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix="loopscope-test-", dir=base)
        self.run = f"{self.dir}/run"
        os.mkdir(self.run)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": self.run}
        self.file = f"{self.dir}/t.db"
        self.began = time.monotonic()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                if self.sweep_first: # what a killed recorder leaves behind, the next one takes away
                    check(self.record("true", file=f"{self.dir}/next.db").returncode == 0, f"{self.name}: record after it")
                until(lambda: not self.processes(), 10, f"{self.name}: {self.processes()} end")
                check(not os.listdir(self.run), f"{self.name}: left behind {os.listdir(self.run)}")
                print(f"{time.monotonic() - self.began:5.1f} s  {self.name}")
        finally:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.dir, ignore_errors=True)

    def argv(self, *command, options=(), file=None):
        return [LOOPSCOPE, "record", "-o", file or self.file, *options, "--", *command]

    def record(self, *command, options=(), file=None, prefix=(), env=None, **more):
        """Runs it to its end."""
        return subprocess.run([*prefix, *self.argv(*command, options=options, file=file)], env=env or self.env,
                              capture_output=True, text=True, timeout=60, **more)

    def start(self, *command, options=(), **more):
        return subprocess.Popen(self.argv(*command, options=options), env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)

    def processes(self):
        """All that were started from here, by the environment they were started with."""
        mark, found = f"XDG_RUNTIME_DIR={self.run}".encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark in f.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def find(self, name):
        """The pid of one of our processes by its name; waits for it."""
        def named():
            for pid in self.processes():
                try:
                    with open(f"/proc/{pid}/comm") as f:
                        if f.read().strip() == name[:15]:
                            return pid
                except OSError:
                    pass
            return None
        until(named, what=f"a process {name}")
        return named()

    def sql(self, query):
        """Of a trace that is being written or not finished: one value, None when that cannot be had yet."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as db:
                row = db.execute(query).fetchone()
                return row[0] if row else None
        except sqlite3.Error:
            return None

    def trace(self):
        return Trace(self.file)

    def loopscope(self, *words):
        return subprocess.run([LOOPSCOPE, *words], env=self.env, capture_output=True, text=True, timeout=60)

    def report(self):
        p = self.loopscope("report", self.file)
        check(p.returncode == 0, f"{self.name}: report says {p.stderr}")
        return p.stdout


def went_well(process, output, mode, name):
    """The target never noticed: its own output and exit status."""
    check(process.returncode == 7, f"{name}: exit status {process.returncode}")
    check(f"{mode} done" in output, f"{name}: the target said {output!r}")


__all__ = ["LOOPSCOPE", "TARGET", "Place", "check", "need", "until", "went_well"]

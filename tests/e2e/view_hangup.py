"""view_hangup - a viewer whose terminal is gone ends, also where no SIGHUP tells it (another session's terminal)."""
import os
import pty
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from real import LOOPSCOPE, check, until

DIR = tempfile.mkdtemp(prefix="loopscope-test-")
with sqlite3.connect(f"{DIR}/t.db") as db:
    for part in "tracer/record/schema.sql", "tests/fixtures/view_shop.sql":
        db.executescript(open(part).read())
master, slave = pty.openpty()
# A session of its own: the terminal is not its controlling one.
p = subprocess.Popen([LOOPSCOPE, "view", f"{DIR}/t.db"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                     env={**os.environ, "TERM": "xterm"})
os.close(slave)
drawn = b""


def is_drawn():
    global drawn
    drawn += os.read(master, 65536)
    return b"checkout" in drawn


try:
    until(is_drawn, what="the first screen")
    os.close(master)
    until(lambda: p.poll() is not None, what="the viewer's end after its terminal's")
    check(p.returncode is not None, "it ended")
finally:
    p.kill()

"""eintr - a sample must not be felt as EINTR: the program sees one for each of its handlers that ran in a call's place, and
no other, however often it is stopped for a stack."""
import os
import platform
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from real import B, Trace, check, recorded

if platform.machine() != "x86_64":
    print("the handler reads x86-64 registers")
    sys.exit(77)
PROGRAM = f"{B}/tests/targets/eintr_count"


def counts(out):
    rows = [line.split() for line in out.decode().splitlines()]
    return {name: (int(seen), int(wrong)) for name, seen, wrong in rows}


bare = subprocess.run([PROGRAM, "2"], stdout=subprocess.PIPE)
with recorded([PROGRAM, "6"], "-t", "1ms", stdout=subprocess.PIPE) as (process, path):
    out = process.stdout.read()
    status = process.wait(60)
samples = Trace(path).one("SELECT value FROM meta WHERE key = 'stack_samples'")
check(bare.returncode == 0, f"bare, the test is not exact here: {counts(bare.stdout)}")
check(status == 0, f"status {status}, {samples} samples: {counts(out)}")
check(all(seen > 10 for seen, _ in counts(out).values()), f"each call is interrupted: {counts(out)}")
check(samples > 200, f"{samples} samples of the stalls")

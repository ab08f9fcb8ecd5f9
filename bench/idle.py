#!/usr/bin/env python3
"""idle.py [SECONDS] - CPU that the recorder uses (watchdog included) while a redis-server idles under record."""
import os
import subprocess
import sys
import tempfile
import time

B = os.environ.get("B", "build")


def cpu(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        main = int(f.read().split()[0])
    return sum(int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in os.listdir(f"/proc/{pid}/task")) or main


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as d:
        record = subprocess.Popen([f"{B}/loopscope", "record", "-q", "-o", f"{d}/t.db", "--", "redis-server", "--port", "0",
                                   "--unixsocket", f"{d}/s", "--save", "", "--dir", d], stdout=subprocess.DEVNULL)
        while not os.path.exists(f"{d}/s"):
            time.sleep(0.05)
        children = subprocess.run(["pgrep", "-P", str(record.pid)], capture_output=True, text=True).stdout.split()
        recorder = next(p for p in children if open(f"/proc/{p}/comm").read().strip() == "loopscope-rec")
        time.sleep(1)
        before, t = cpu(recorder), time.monotonic()
        time.sleep(seconds)
        share = (cpu(recorder) - before) / 1e9 / (time.monotonic() - t)
        record.terminate()
        record.wait()
    print(f"{'recorder while redis-server idles':34} {'one core':22} {100.0:10.2f} {share * 100:10.3f} {share:8.4f}   <= 0.005")


main()

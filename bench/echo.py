#!/usr/bin/env python3
"""echo.py [PAIRS] [MS] [SERVER...] - echo servers against one on bare epoll: 50 connections, 64 bytes, closed loop.

The server has core 0, the load (and the recorder, when it is traced) core 1.  Each run of a server stands beside a run of
the bare one, before or after it in turn; the ratios are taken pair by pair.  Throughput alone flatters a server that is
slow enough to find more requests a turn, so CPU per request and p99 stand beside it."""
import os
import statistics
import subprocess
import sys
import tempfile

B = os.environ.get("B", "build")
GOALS = {
    "ours: fd": ">= 0.95 <= 1.06", "ours: fd, traced": ">= 0.95 <= 1.08",
    "ours: stream": ">= 0.95 <= 1.06", "ours: stream, traced": ">= 0.95 <= 1.08",
}
SERVERS = {
    "epoll": "epoll", "ours: fd": "ours_fd", "ours: fd, traced": "ours_fd", "ours: stream": "ours_stream",
    "ours: stream, traced": "ours_stream", "libuv": "libuv", "libevent bufferevent": "bufferevent",
    "State Threads": "state_threads",
}


def measure(name, ms, directory):
    """(requests a second, server CPU ns a request, p50 us, p99 us)"""
    server = [f"{B}/bench/echo/{SERVERS[name]}"]
    if name.endswith("traced"):
        server = ["taskset", "-c", "1", f"{B}/loopscope", "record", "-q", "-o", f"{directory}/t.db", "--", *server]
    p = subprocess.Popen(server, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        pid, port = p.stdout.readline().split()
        load = subprocess.run([f"{B}/bench/echo/load", port, pid, "50", "64", ms], capture_output=True, text=True, timeout=60)
        if load.returncode:
            sys.exit(f"{name}: the load ended with status {load.returncode}: {load.stderr}")
        return [float(x) for x in load.stdout.split()]
    finally:
        p.terminate()
        p.wait(60)


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    ms = sys.argv[2] if len(sys.argv) > 2 else "800"
    names = [n for n in SERVERS if not sys.argv[3:] or n in sys.argv[3:]]
    ratios = {n: [] for n in names}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
        for i in range(pairs):
            for n in names:
                order = ("epoll", n) if i % 2 else (n, "epoll")
                got = [measure(x, ms, d) for x in order]
                bare, ours = got if i % 2 else reversed(got)
                ratios[n].append([o / b for o, b in zip(ours, bare)] + [ours[0], ours[1]])
    print(f"{'echo, 50 connections, 64 bytes':34} {'to bare epoll, median':22} {'req/s':>7} {'min..max':>12} {'CPU/req':>8} "
          f"{'p50':>6} {'p99':>6} {'kreq/s':>7} {'CPU us':>7}")
    for n in names:
        m = [statistics.median(r[k] for r in ratios[n]) for k in range(6)]
        low, high = min(r[0] for r in ratios[n]), max(r[0] for r in ratios[n])
        print(f"{'':34} {n:22} {m[0]:7.3f} {low:6.2f}..{high:4.2f} {m[1]:8.3f} {m[2]:6.2f} {m[3]:6.2f} {m[4] / 1e3:7.0f} "
              f"{m[5] / 1e3:7.2f}  {GOALS.get(n, '')}", flush=True)


main()

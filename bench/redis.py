#!/usr/bin/env python3
"""redis.py [PAIRS] [REQUESTS] [TOOL...] - redis-benchmark SET/GET -c 50 -P 1, bare and under a tool, in pairs.

The server has core 0; the load and the recorder share core 1.  Throughput alone flatters a tracer of a server that
batches (a slower server answers more requests a turn), so CPU per request and p99 stand beside it."""
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile

B = os.environ.get("B", "build")
SERVER = ["redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--loglevel", "warning"]


def tools(directory):
    return {
        "bare": [],
        "loopscope": [f"{B}/loopscope", "record", "-q", "-o", f"{directory}/t.db", "--"],
        "strace -c": ["strace", "-f", "-c", "-o", f"{directory}/strace"],
        "perf trace": ["perf", "trace", "-s", "-o", f"{directory}/perf"],
        "uftrace": ["uftrace", "record", "--force", "--no-pager", "-d", f"{directory}/uftrace"],
    }


def cli(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True).stdout


def server_cpu(port):
    text = cli(port, "info", "cpu")
    return sum(float(x) for x in re.findall(r"used_cpu_(?:user|sys)_main_thread:([0-9.]+)", text))


def measure(tool, requests, directory):
    """throughput of SET and GET, server CPU ns per request, p99 ms"""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = subprocess.Popen(["taskset", "-c", "0", *tools(directory)[tool], *SERVER, "--port", str(port), "--dir", directory],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while cli(port, "ping") != "PONG\n":
            if server.poll() is not None:
                sys.exit(f"{tool}: the server did not start")
        before = server_cpu(port)
        out = subprocess.run(["taskset", "-c", "1", "redis-benchmark", "-p", str(port), "-t", "set,get", "-n", str(requests),
                              "-c", "50", "-P", "1", "--csv"], capture_output=True, text=True, check=True).stdout
        cpu = (server_cpu(port) - before) * 1e9 / (2 * requests)
    finally:
        cli(port, "shutdown", "nosave")
        server.wait()
    rows = {f[0]: f for f in (line.replace('"', "").split(",") for line in out.splitlines()) if f[0] in ("SET", "GET")}
    return {"SET": float(rows["SET"][1]), "GET": float(rows["GET"][1]), "cpu": cpu,
            "p99": statistics.mean([float(rows["SET"][6]), float(rows["GET"][6])])}


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    names = sys.argv[3:] or ["loopscope", "strace -c", "perf trace", "uftrace"]
    print(f"{'redis-benchmark -c 50 -P 1':34} {'ratio to bare, median':22} {'SET':>8} {'GET':>8} {'CPU/req':>8} {'p99':>8}")
    for tool in names:
        slow = tool in ("strace -c", "perf trace")
        ratios = []
        for i in range(3 if tool != "loopscope" else pairs):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
                n = requests // 4 if slow else requests
                order = ("bare", tool) if i % 2 else (tool, "bare")
                got = {t: measure(t, n, d) for t in order}
            ratios.append({k: got[tool][k] / got["bare"][k] for k in ("SET", "GET", "cpu", "p99")})
        m = {k: statistics.median(r[k] for r in ratios) for k in ratios[0]}
        goal = "  >= 0.97 >= 0.97 <= 1.05 <= 1.15" if tool == "loopscope" else ""
        print(f"{'':34} {tool + f' ({len(ratios)} pairs)':22} {m['SET']:8.3f} {m['GET']:8.3f} {m['cpu']:8.3f} {m['p99']:8.3f}{goal}",
              flush=True)


main()

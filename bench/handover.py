#!/usr/bin/env python3
"""handover.py [ROUNDS] - hand-overs a second of locks, queues and channels: ours, asyncio's and State Threads', in turn on
one CPU (bench/handover.c says what each does; asyncio does the same here, and has no channels: a Queue of one stands in)."""
import asyncio
import os
import statistics
import subprocess
import sys
import time

B = os.environ.get("B", "build")
BURST = 20000


async def walker(locks, at):
    await locks[at].acquire()
    await asyncio.sleep(0)
    for _ in range(BURST // 2):
        following = (at + 1) % len(locks)
        await locks[following].acquire()
        locks[at].release()
        at = following
    locks[at].release()


async def lock():
    locks = [asyncio.Lock() for _ in range(3)]
    await asyncio.gather(walker(locks, 0), walker(locks, 1))


async def queue():
    q = asyncio.Queue(1)

    async def put():
        for i in range(BURST):
            await q.put(i)

    async def get():
        for _ in range(BURST):
            await q.get()
    await asyncio.gather(put(), get())


def python_ns(f):
    start = time.perf_counter_ns()
    asyncio.run(f())
    return (time.perf_counter_ns() - start) / BURST


def row(what, peer, theirs, ours, goal):
    """Medians of ns each; printed as thousands a second, the ratio is ours to theirs."""
    t, o = statistics.median(theirs), statistics.median(ours)
    print(f"{what:34} {peer:22} {1e6 / t:10.0f} {1e6 / o:10.0f} {statistics.median(a / b for a, b in zip(theirs, ours)):8.3f}   {goal}",
          flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    os.sched_setaffinity(0, {0})
    c = subprocess.Popen([f"{B}/bench/handover"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def c_ns(what):
        print(what, file=c.stdin, flush=True)
        return [float(x) for x in c.stdout.readline().split()]
    for what, f in (("lock", lock), ("queue", queue), ("chan", queue)):
        python, ours, st = [], [], []
        for i in range(-1, rounds):
            p, (o, s) = python_ns(f), c_ns(what)
            if i >= 0:
                python.append(p), ours.append(o), st.append(s)
        name = f"{what}, hand-overs, k/s"
        row(name, "asyncio" if what != "chan" else "asyncio Queue(1)", python, ours, ">= 10")
        if st[0]:
            row(name, "State Threads", st, ours, ">= 0.8")
    c.stdin.close()
    sys.exit(c.wait(10))


main()

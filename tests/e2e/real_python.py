#!/usr/bin/env python3
"""python3 asyncio: time.sleep, hashlib.pbkdf2_hmac and waiting for a subprocess inside coroutines are one stall each, of
the length that the program measured, with cause and C function; the same by to_thread and asyncio are none."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import Trace, check, near, need, recorded

need("python3")
APP = """
import asyncio, hashlib, json, subprocess, time
told = []
def block(name, f):
    t = time.monotonic_ns(); f(); told.append((name, time.monotonic_ns() - t))
async def main():
    await asyncio.sleep(0.05)
    block("sleep", lambda: time.sleep(0.1))
    await asyncio.sleep(0.03)
    block("hash", lambda: hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 150000))
    await asyncio.sleep(0.03)
    p = subprocess.Popen(["sleep", "0.12"])
    await asyncio.sleep(0.03)
    block("wait", p.wait)
    await asyncio.sleep(0.03)
    await asyncio.to_thread(time.sleep, 0.1)
    await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", b"secret", b"salt", 150000)
    q = await asyncio.create_subprocess_exec("sleep", "0.05")
    await q.wait()
    json.dump(told, open("told", "w"))
asyncio.run(main())
"""
EXPECT = {"sleep": ("call", "nanosleep"), "hash": ("cpu", ""), "wait": ("call", "wait")}
directory = os.popen("mktemp -d").read().strip()
open(f"{directory}/app.py", "w").write(APP)
with recorded([os.environ.get("PYTHON", "python3"), "app.py"], cwd=directory) as (process, path):
    process.wait(60)

trace = Trace(path)
told = json.load(open(f"{directory}/told"))
# those that the machine made are left out, unless they are as long as a block
stalls = [s for s in trace.stalls()
          if not trace.starved(s[0]) or any(near(ns, s[2], trace.runq(s[0])) for _, ns in told)]
for s in stalls:
    print(s, trace.runq(s[0]), sorted(trace.functions(s[0])))
check(process.returncode == 0, f"exit status {process.returncode}")
check(len(stalls) == len(told), f"{len(told)} blocks, {len(stalls)} stalls")
for (name, ns), (ident, _, length, cause, detail) in zip(told, stalls):
    check(near(ns, length, trace.runq(ident)), f"{name}: {ns / 1e6:.2f} ms told, {length / 1e6:.2f} ms in the trace")
    check((cause == EXPECT[name][0] and EXPECT[name][1] in detail) or trace.starved(ident), f"{name}: {cause} {detail}")
check(trace.starved(stalls[1][0]) or any("pbkdf2" in f.lower() for f in trace.functions(stalls[1][0])), "pbkdf2 is on the stack of the hash")
check(trace.one("SELECT kind FROM loop LIMIT 1") == "epoll", "one epoll loop")
check(trace.lost() == 0, "nothing lost")

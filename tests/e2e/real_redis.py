#!/usr/bin/env python3
"""redis-server: each slow command of its own SLOWLOG is exactly one stall, of the same length, with the command's C
function on the stack; nothing else is reported."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import Trace, answers, check, free_port, need, near, recorded, until

need("redis-server", "redis-cli")
port = free_port()


def cli(*words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=True).stdout


LUA = "local x = 0; for i = 1, 6000000 do x = x + i % 7 end; return x"
server = ["redis-server", "--port", str(port), "--enable-debug-command", "yes", "--save", "", "--bind", "127.0.0.1",
          "--slowlog-log-slower-than", "20000", "--slowlog-max-len", "1000"]
with recorded(server) as (process, path):
    until(lambda: answers(port), what="redis-server")
    cli("debug", "populate", "1000000")
    for _ in range(3):
        cli("debug", "sleep", "0.15")
        cli("eval", LUA, "0")
        cli("keys", "*")
        cli("set", "a", "b")
    log = subprocess.run(["redis-cli", "-p", str(port), "--json", "-3", "slowlog", "get", "1000"], capture_output=True,
                         text=True, check=True).stdout
    import json
    slow = [(entry[2] * 1000, entry[3]) for entry in reversed(json.loads(log))]  # oldest first: ns, words
    cli("shutdown", "nosave")

trace = Trace(path)
FUNCTIONS = {"debug": "debugCommand", "eval": "evalGenericCommand", "keys": "keysCommand", "DEBUG": "debugCommand"}
# those that the machine made are left out, unless they are as long as a slow command
stalls = [s for s in trace.stalls()
          if not trace.starved(s[0]) or any(near(ns, s[2], trace.runq(s[0])) for ns, _ in slow)]
for ns, words in slow:
    print(f"slowlog {ns / 1e6:8.1f} ms  {' '.join(words)[:40]}")
for s in stalls:
    print(f"stall   {s[2] / 1e6:8.1f} ms  {s[3]:10} {s[4]}")
check(len(slow) >= 8, "redis' own slow log has the slow commands")
check(len(stalls) == len(slow), f"{len(slow)} slow commands, {len(stalls)} stalls")
for (ns, words), (ident, _, length, cause, detail) in zip(slow, stalls):
    name = words[0].lower()
    check(near(ns, length, trace.runq(ident)), f"{words}: {ns / 1e6:.2f} ms in the slow log, {length / 1e6:.2f} ms in the trace")
    check(cause in ("call", "cpu") or trace.starved(ident), f"{words}: cause {cause} ({detail})")
    check(FUNCTIONS[name] in trace.functions(ident) or trace.starved(ident), f"{words}: {FUNCTIONS[name]} on the stack {sorted(trace.functions(ident))}")
    if words[1:2] == ["sleep"]:
        check((cause == "call" and "sleep" in detail) or trace.starved(ident), f"DEBUG SLEEP is a call: {cause} {detail}")
check(trace.lost() == 0, "nothing lost")
check(process.returncode == 0, f"exit status {process.returncode}")

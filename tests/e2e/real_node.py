#!/usr/bin/env python3
"""node: crypto.pbkdf2Sync is a stall of cause cpu, fs.readFileSync of a fifo one of cause call (read), each of the length
that the program itself measured; nothing else is reported."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import Trace, check, near, need, recorded

need("node")
APP = r"""
const fs = require('fs'), crypto = require('crypto'), cp = require('child_process');
const told = [];
const block = (name, f) => { const t = process.hrtime.bigint(); f(); told.push([name, Number(process.hrtime.bigint() - t)]); };
cp.execFileSync('mkfifo', ['fifo']);
setTimeout(() => {
  told.length = 0;
  const writer = cp.spawn('sh', ['-c', 'read x; sleep 0.08; echo hello > fifo'], { stdio: ['pipe', 'ignore', 'inherit'] });
  writer.on('spawn', () => setTimeout(() => {
    block('pbkdf2', () => crypto.pbkdf2Sync('secret', 'salt', 200000, 32, 'sha256'));
    setTimeout(() => {
      writer.stdin.write('go\n');
      setTimeout(() => {
        block('fifo', () => fs.readFileSync('fifo'));
        setTimeout(() => { fs.writeFileSync('told', JSON.stringify(told)); process.exit(7); }, 50);
      }, 20);
    }, 50);
  }, 200));
}, 300);
"""
directory = os.popen("mktemp -d").read().strip()
open(f"{directory}/app.js", "w").write(APP)
with recorded(["node", "app.js"], cwd=directory) as (process, path):
    process.wait(60)

trace = Trace(path)
told = dict(json.load(open(f"{directory}/told")))
stalls = trace.stalls()
print(told)
for s in stalls:
    print(s, sorted(trace.functions(s[0]))[:5])
check(process.returncode == 7, f"exit status {process.returncode}")
# The two may be equally long, and a wait for a CPU makes either longer: the cause tells them apart.
cpu = [s for s in stalls if near(told["pbkdf2"], s[2], trace.runq(s[0])) and s[3] != "call"]
check(len(cpu) == 1 and (cpu[0][3] == "cpu" or trace.starved(cpu[0][0])), f"pbkdf2Sync of {told['pbkdf2'] / 1e6:.1f} ms is one stall of cause cpu: {stalls}")
fifo = [s for s in stalls if near(told["fifo"], s[2], trace.runq(s[0])) and s not in cpu]
check(len(fifo) == 1 and fifo[0][3] == "call", f"readFileSync of {told['fifo'] / 1e6:.1f} ms is one stall of cause call: {fifo}")
check("read" in fifo[0][4] or "open" in fifo[0][4], f"and names the call: {fifo[0][4]}")
others = [s for s in stalls if s not in cpu + fifo and not trace.starved(s[0])]
# node's own start (and execFileSync of mkfifo) is synchronous by nature, but before the loop's second poll
check(not others, f"nothing else is reported: {others}")

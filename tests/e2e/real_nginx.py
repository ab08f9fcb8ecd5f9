#!/usr/bin/env python3
"""nginx, master and workers as www-data: the workers' loops are recorded though they dropped their privileges, each
worker is a process of its own, and a worker that was stopped (SIGSTOP) is a stall of cause `stopped`, not of nginx."""
import os
import signal
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import Trace, answers, check, free_port, need, recorded, until

need("nginx")
port = free_port()
base = subprocess.run(["mktemp", "-d"], capture_output=True, text=True).stdout.strip()
os.chmod(base, 0o755)
os.mkdir(f"{base}/www")
open(f"{base}/www/index.html", "w").write("hello\n")
user = "user www-data;" if os.geteuid() == 0 else ""
open(f"{base}/nginx.conf", "w").write(f"""
{user} worker_processes 2; daemon off; pid {base}/pid; error_log {base}/error.log notice;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {base}/b; proxy_temp_path {base}/p; fastcgi_temp_path {base}/f;
  uwsgi_temp_path {base}/u; scgi_temp_path {base}/s;
  server {{ listen 127.0.0.1:{port}; root {base}/www; }} }}
""")


def get():
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()


with recorded(["nginx", "-e", f"{base}/error.log", "-c", f"{base}/nginx.conf"]) as (process, path):
    until(lambda: answers(port), what="nginx")
    for _ in range(200):
        check(get() == b"hello\n", "nginx answers")
    master = int(open(f"{base}/pid").read())
    workers = [int(p) for p in subprocess.run(["pgrep", "-P", str(master)], capture_output=True, text=True).stdout.split()]
    check(len(workers) == 2, f"two workers: {workers}")
    # A worker that is in the middle of its work when it is stopped: its loop is busy for the whole stop.  It is caught
    # busy by stopping it again and again under load; both by turns, because all connections may be with one of them.
    load = subprocess.Popen(["wrk", "-t1", "-c8", "-d4s", f"http://127.0.0.1:{port}/"], stdout=subprocess.DEVNULL) \
        if subprocess.run(["which", "wrk"], stdout=subprocess.DEVNULL).returncode == 0 else None
    stops = []
    for i in range(24 if load else 0):
        began = time.time_ns()
        os.kill(workers[i % 2], signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(workers[i % 2], signal.SIGCONT)
        stops.append((began, time.time_ns()))
        time.sleep(0.05)
    if load:
        load.wait()

trace = Trace(path)
loops = trace.all("SELECT loop.id, loop.kind, process.pid FROM loop JOIN thread ON thread.id = loop.thread "
                  "JOIN process ON process.id = thread.process")
print(loops)
check({l[2] for l in loops} >= set(workers), f"both workers {workers} have a loop")
check(all(l[1] == "epoll" for l in loops if l[2] in workers), "by epoll")
check(trace.one("SELECT count(*) FROM iteration") > 50, "turns were recorded")
stalls = trace.stalls()
for s in stalls:
    print(s, trace.runq(s[0]))
if load:
    check(any(s[3] == "stopped" and s[2] > 80e6 for s in stalls), "the stopped worker is a stall of cause stopped")
others = [s for s in stalls if s[3] != "stopped"]
# The watchdog may come too late to see that it was stopped, and then blames the call that it was stopped in.
during = [s for s in others if any(s[1] < end and began < s[1] + s[2] for began, end in stops)]
check(all(s in during or trace.starved(s[0]) for s in others), "nothing else is reported")
check(len(during) * 3 <= len(stalls), "what was stopped is said to be")
check(trace.lost() == 0, "nothing lost")
check(process.returncode == 0, f"exit status {process.returncode}")
alerts = [l for l in open(f"{base}/error.log") if "[alert]" in l or "[crit]" in l]
check(not alerts, f"nginx saw nothing odd: {alerts}")

#!/usr/bin/env python3
"""What the trace shows of servers and streams: a task a connection by its peer's name, waits on fds with their sites, and
the streams and servers behind these fds; and that a program pulls OpenSSL in only when it speaks TLS."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import B, Trace, check, recorded

with recorded([f"{B}/tests/race/rt_streams"]) as (process, path):
    check(process.wait(60) == 0, "rt_streams")
t = Trace(path)
check(t.lost() == 0, "nothing lost")
CLIENTS = 36
clients = t.all("SELECT id, outcome FROM task WHERE name GLOB 'client 127.0.0.1:[0-9]*'")
check(len(clients) == CLIENTS, f"a task a connection, named after its peer: {len(clients)}")
check(all(outcome for _, outcome in clients), "and each is over")
check(t.one("SELECT count(*) FROM task WHERE name GLOB 'accept 127.0.0.1:[0-9]*'") == 3, "a task that accepts, a server")
waits = t.all("SELECT why.name, count(*), min(target), min(site) FROM step JOIN why ON why.id = why "
              "WHERE task IN (SELECT id FROM task WHERE name LIKE 'client 127.0.0.1:%' OR name LIKE 'accept %') GROUP BY 1")
check({w[0] for w in waits} == {"spawn", "fd"}, f"they wait for their fds: {waits}")
check(all(w[2] > 2 and w[3] for w in waits if w[0] == "fd"), f"and say which, and where: {waits}")
stray = t.all("SELECT count(*), min(step.target) FROM step JOIN why ON why.id = step.why JOIN task ON task.id = step.task "
              "WHERE why.name = 'fd' AND task.name LIKE 'client 127.0.0.1:%' AND NOT EXISTS (SELECT 1 FROM object o "
              "WHERE o.kind = 'stream' AND o.fd = step.target AND step.t - step.queue - step.wait BETWEEN o.t AND o.t_end)")[0]
check(stray[0] == 0, f"behind such an fd is a stream: {stray}")
streams = t.all("SELECT name, fd, t_end FROM object WHERE kind = 'stream'")
check(len(streams) >= 2 * CLIENTS - 3, f"both ends of each connection: {len(streams)}")
check(all(":" in name and fd > 2 for name, fd, _ in streams), f"with a name and an fd: {streams[:3]}")
check(sum(end is None for _, _, end in streams) == 0, "and each was closed")
servers = t.all("SELECT name, fd FROM object WHERE kind = 'server'")
check(len(servers) == 3 and all(s[0].startswith("127.0.0.1:") and s[1] > 2 for s in servers), f"servers: {servers}")
looked_up = t.one("SELECT count(*) FROM step JOIN why ON why.id = step.why WHERE why.name = 'dns'")
check(looked_up, "a look-up of a name is a wait for DNS")

# A program with streams and servers that says nothing of TLS does not need OpenSSL to be linked.
with tempfile.TemporaryDirectory() as d:
    with open(f"{d}/p.c", "w") as f:
        f.write("""#include <loopscope/runtime.h>
            static intptr_t fn(struct ls_stream *s, void *a) { (void)a; return ls_stream_write(s, "x", 1); }
            static intptr_t app(void *a) { (void)a; return ls_serve("::1", 0, fn, 0, 0) == 0 && ls_connect("x", 1, 0) == 0; }
            int main(void) { return (int)ls_run(app, 0, 0); }""")
    subprocess.run(["gcc", "-Iinclude", f"{d}/p.c", "-o", f"{d}/p", f"-L{B}", "-lloopscope-rt", "-lloopscope", "-lpthread"],
                   check=True)
    needed = subprocess.run(["readelf", "-d", f"{d}/p"], capture_output=True, text=True, check=True).stdout
    check("libssl" not in needed and "libcrypto" not in needed, f"OpenSSL is not needed: {needed}")

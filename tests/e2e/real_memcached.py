#!/usr/bin/env python3
"""memcached: four worker threads and the listener, each a loop of its own; get and set work; nothing is a stall."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import Trace, answers, check, free_port, need, recorded, until

need("memcached")
port = free_port()
user = ["-u", "nobody"] if os.geteuid() == 0 else []
with recorded(["memcached", "-l", "127.0.0.1", "-p", str(port), "-t", "4", *user]) as (process, path):
    until(lambda: answers(port), what="memcached")
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    for i, c in enumerate(clients * 50):
        c.sendall(b"set k%d 0 0 2\r\nhi\r\n" % i)
        check(c.recv(64) == b"STORED\r\n", "set")
        c.sendall(b"get k%d\r\n" % i)
        check(c.recv(64) == b"VALUE k%d 0 2\r\nhi\r\nEND\r\n" % i, "get")
    for c in clients:
        c.close()

trace = Trace(path)
loops = trace.all("SELECT loop.id, kind, thread.name, (SELECT count(*) FROM iteration WHERE loop = loop.id) FROM loop "
                  "JOIN thread ON thread.id = loop.thread")
print(loops)
check(sum(l[3] > 20 for l in loops) >= 4, "four worker loops have turns")
check(all(trace.starved(s[0]) for s in trace.stalls()), f"no stall: {trace.stalls()}")
check(trace.lost() == 0, "nothing lost")

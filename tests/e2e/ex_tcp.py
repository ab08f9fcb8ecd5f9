"""ex_tcp - examples/real/tcp_echo.c: a server on streams, a task for each client."""
import socket
import sys
import time

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, none_blocked, place, record, side_by_side, waits

CLIENTS, SILENCE = 5, 0.3


def talk(first_line):
    """Five clients are connected at once and silent for a while; then each says two lines, and hears them."""
    port = int(first_line.split(":")[1])
    clients = []
    for _ in range(CLIENTS):
        clients.append(socket.create_connection(("127.0.0.1", port), timeout=10))
    time.sleep(SILENCE)
    for n, c in enumerate(clients):
        c.sendall(b"hello %d\nhow are you\n" % n)
    for n, c in enumerate(clients):
        expected, got = b"hello %d\nhow are you\n" % n, b""
        c.shutdown(socket.SHUT_WR)
        while data := c.recv(100):
            got += data
        check(got == expected, f"client {n} heard {got!r}")
        c.close()


with place() as directory:
    out, t = record(directory, "real/tcp_echo", 0, CLIENTS, meanwhile=talk)
    check(out.splitlines()[1:] == [f"{CLIENTS} clients, 0 failed"], out)
    reads = waits(t, "fd", "client 127.0.0.1:%")
    silent = [w for w in reads if w[2] - w[1] > SILENCE * 0.8e9]
    check(len({w[0] for w in silent}) == CLIENTS and len({w[3] for w in silent}) == CLIENTS,
          f"each client by its address, on its own socket: {reads}")
    side_by_side(silent, "silent clients")
    check(all(w[4].startswith("echo:") for w in silent), f"where: {silent}")
    gone = waits(t, "sem", "main")
    check(gone and t.one("SELECT name FROM object WHERE id = ?", gone[0][3]) == "clients gone", f"main waits: {gone}")
    check(not t.all("SELECT name FROM task WHERE state != 'done'"), "nothing is left behind")
    none_blocked(t, "tcp_echo")

    out, t = record(directory, "real/tcp_echo_blocking", 0, CLIENTS, meanwhile=talk)
    found = blocked_in(t, "real/tcp_echo_blocking.c", "echo", "/* here */", "read", ["client 1"],
                       least=200 * MS)
    check(found[0][0] == "client 1" and found[0][3] > SILENCE * 0.8e9, f"one silent client holds everybody up: {found}")

"""ex_chat - examples/real/chat.c: a client that does not read is dropped, and nobody waits for it."""
import socket
import sys
import threading

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, none_blocked, place, record, waits

BATCHES, LINES = 120, 16


def connect(port, room=None):
    s = socket.socket()
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    check(s.recv(100).startswith(b"you are "), "a greeting: it is in the room")
    return s


def read_all(s):
    try:
        while s.recv(1 << 16):
            pass
    except OSError: # it was dropped
        pass


def talk(first_line):
    """The first one speaks, the second one listens, the third one does not read until the second one has heard nothing for
    300 ms.  Every line arrives."""
    port = int(first_line.split(":")[1])
    speaker, listener, slow = connect(port), connect(port), connect(port, 4096)
    reader = threading.Thread(target=read_all, args=(slow,))
    heard = 0
    for batch in range(1, BATCHES + 1):
        speaker.sendall((b"x" * 999 + b"\n") * LINES)
        while heard < batch * LINES:
            listener.settimeout(10 if reader.ident else 0.3)
            try:
                heard += listener.recv(1 << 16).count(b"\n")
            except TimeoutError:
                check(not reader.ident, f"{heard} lines heard, then silence")
                reader.start()
    speaker.close()
    listener.close()
    if not reader.ident:
        reader.start()
    slow.shutdown(socket.SHUT_WR) if blocking else None # who was dropped cannot
    reader.join()
    slow.close()


with place() as directory:
    blocking = False
    out, t = record(directory, "real/chat", 0, 3, meanwhile=talk)
    check(out.splitlines()[1:] == ["3 clients, 1 dropped"], out)
    slow = max(waits(t, "fd", "writer 3"), key=lambda w: w[2] - w[1], default=None)
    check(slow, "the slow one's writer waits for its socket")
    messages = waits(t, "queue_get", "writer 2")
    check(len(messages) > 10, f"the other's waits for messages: {len(messages)}")
    check({t.one("SELECT kind || ' ' || name FROM object WHERE id = ?", w[3]) for w in messages} == {"queue for client 2"},
          f"in a queue of its own: {messages[:3]}")
    check(not t.all("SELECT name FROM task WHERE state != 'done'"), "nothing is left behind")
    none_blocked(t, "chat")

    blocking = True
    out, t = record(directory, "real/chat_blocking", 0, 3, meanwhile=talk)
    found = blocked_in(t, "real/chat_blocking.c", "say", "/* here */", "write", ["client 1"],
                       least=200 * MS)
    check(max(s[3] for s in found) > 250 * MS, f"for as long as one does not read: {found}")

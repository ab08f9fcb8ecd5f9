"""ex_tls - examples/real/tls_echo.c: streams over TLS, and a client that does not shake hands."""
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, none_blocked, place, record, waits
from real import need

need("openssl")
SILENCE = 0.3


def talk(first_line):
    """One client connects and is silent before it shakes hands; then each of three says a line and leaves."""
    port = int(first_line.split(":")[1])
    context = ssl.create_default_context(cafile=f"{directory}/cert.pem")
    for silence in (SILENCE, 0, 0):
        c = socket.create_connection(("127.0.0.1", port), timeout=10)
        time.sleep(silence)
        c = context.wrap_socket(c, server_hostname="localhost")
        c.sendall(b"hello\n")
        check(c.recv(100) == b"hello\n", "an echo")
        c.unwrap().close()


with place() as directory:
    key = [f"{directory}/cert.pem", f"{directory}/key.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", key[0], "-keyout", key[1]],
                   check=True, capture_output=True)
    out, t = record(directory, "real/tls_echo", 0, 3, *key, meanwhile=talk)
    check(out.splitlines()[1:] == ["3 clients, 0 failed"], out)
    hands = [w for w in waits(t, "fd", "client 127.0.0.1:%") if w[4].startswith("converse:")]
    check(any(w[2] - w[1] > SILENCE * 0.8e9 for w in hands), f"the handshake waits for who is slow: {hands}")
    spans = t.all("SELECT name, dur FROM mark WHERE name = 'handshake' ORDER BY t")
    check(len(spans) == 3 and spans[0][1] > SILENCE * 0.8e9, f"as a span: {spans}")
    computed = t.all("SELECT name, run FROM task WHERE name LIKE 'client %'")
    check(len(computed) == 3 and all(0 < run < 50 * MS for _, run in computed), f"what it cost the loop: {computed}")
    none_blocked(t, "tls_echo")

    out, t = record(directory, "real/tls_echo_blocking", 0, 3, *key, meanwhile=talk)
    found = blocked_in(t, "real/tls_echo_blocking.c", "echo", "/* here */", "read", ["client 1"], least=200 * MS)
    check(found[0][3] > SILENCE * 0.8e9, f"for as long as the client is silent: {found}")

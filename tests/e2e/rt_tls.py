#!/usr/bin/env python3
"""TLS between our streams and others': openssl s_client and s_server, and Python's ssl."""
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from real import B, check, free_port, need

need("openssl")
PEER = f"{B}/tests/targets/tls_peer"


def serve(directory):
    p = subprocess.Popen([PEER, "serve", f"{directory}/cert", f"{directory}/key"], stdout=subprocess.PIPE, text=True)
    return p, int(p.stdout.readline())


def connect(port, directory, host="localhost", text="hello"):
    return subprocess.run([PEER, "connect", str(port), f"{directory}/cert", host, text], capture_output=True, text=True,
                          timeout=30).stdout


def python_client(port, context, last):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="localhost",
                             suppress_ragged_eofs=False) as c:
        check(c.selected_alpn_protocol() == "echo", "the protocol agreed on")
        big = b"x" * 3000 + b"\n"
        for i in range(50):
            c.sendall(b"line %d\n" % i + big)
            got = b""
            while len(got) < len(big) + 7 + (i > 9):
                got += c.recv(1 << 16)
            check(got == b"line %d\n" % i + big, f"echo {i}")
        c.sendall(last)
        if last == b"quit\n":
            check(c.recv(100) == b"quit\n", "the last echo")
            c.unwrap()
            return "clean"
        try:
            c.recv(100)
            return "clean"
        except (ssl.SSLEOFError, ConnectionResetError):
            return "cut"


def python_server(directory, goodbye):
    """Answers one line; then says goodbye, or just hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/cert", f"{directory}/key")
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        c = context.wrap_socket(listener.accept()[0], server_side=True)
        c.sendall(b"you said " + c.recv(100))
        if goodbye:
            try:
                c.unwrap()
            except OSError: # it has hung up, which it may
                pass
        else:
            c.shutdown(socket.SHUT_RDWR)
        c.close()
    thread = threading.Thread(target=run)
    thread.start()
    return listener.getsockname()[1], thread


with tempfile.TemporaryDirectory() as d:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-out", f"{d}/cert", "-keyout", f"{d}/key"],
                   check=True, capture_output=True)

    server, port = serve(d)
    context = ssl.create_default_context(cafile=f"{d}/cert")
    context.set_alpn_protocols(["other", "echo"])
    check(python_client(port, context, b"drop\n") == "cut", "Python sees that we cut it")
    old = ssl.create_default_context(cafile=f"{d}/cert")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_alpn_protocols(["echo"])
    check(python_client(port, old, b"drop\n") == "cut", "by TLS 1.2, too")
    said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", f"{d}/cert", "-servername",
                           "localhost", "-verify_return_error", "-verify_hostname", "localhost", "-quiet"],
                          input="from openssl\ndrop\n", capture_output=True, text=True, timeout=30)
    check("from openssl\n" in said.stdout, f"openssl s_client got its echo: {said}")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as c: # no TLS at all
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            while c.recv(1000):
                pass
        except ConnectionResetError: # we had not read all of it
            pass
    check(python_client(port, context, b"quit\n") == "clean", "a clean end")
    out = server.communicate(timeout=30)[0]
    check(server.returncode == 0 and "handshake: EPROTO" in out and "end: clean" in out, f"the server: {out}")

    port = free_port()
    peer = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", f"{d}/cert", "-key", f"{d}/key",
                             "-rev", "-naccept", "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True)
    try:
        check(any("ACCEPT" in line for line in peer.stdout), "openssl s_server listens")
        out = connect(port, d, text="hello\nCLOSE")
        check(out == "olleh\nend: clean\n", f"openssl s_server turns it round: {out}")
        out = connect(port, d, host="example.org")
        check(out.startswith("EPROTO: ") and "ostname mismatch" in out, f"another's certificate: {out}")
    finally:
        peer.kill()
        peer.wait()

    for goodbye, end in (True, "clean"), (False, "ECONNABORTED"):
        port, thread = python_server(d, goodbye)
        out = connect(port, d)
        thread.join(10)
        check(out == f"you said hello\nend: {end}\n", f"an end {'with' if goodbye else 'without'} goodbye: {out}")
    with socket.create_server(("127.0.0.1", 0)) as silent: # accepts, and hangs up in the middle of the handshake
        thread = threading.Thread(target=lambda: silent.accept()[0].close())
        thread.start()
        out = connect(silent.getsockname()[1], d)
        thread.join(10)
    check(out.startswith(("EPROTO", "ECONNRESET")), f"a handshake that is cut: {out}")

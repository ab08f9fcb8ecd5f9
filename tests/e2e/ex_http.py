"""ex_http - examples/real/http_gather.c, libcurl's multi interface on our loop, against nginx."""
import contextlib
import os
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, line_of, none_blocked, place, record, side_by_side, waits
from real import answers, free_port, need, until

need("nginx")


@contextlib.contextmanager
def nginx(base, port):
    """Serves pages of 64 KiB at 160 KiB/s, in two halves: a page takes 200 ms."""
    os.mkdir(f"{base}/www")
    for page in "abc":
        with open(f"{base}/www/{page}", "w") as f:
            f.write(page * 65536)
    with open(f"{base}/nginx.conf", "w") as f:
        f.write(f"""
{"user www-data;" if os.geteuid() == 0 else ""} worker_processes 1; daemon off; pid {base}/pid; error_log {base}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {base}/b; proxy_temp_path {base}/p; fastcgi_temp_path {base}/f;
  uwsgi_temp_path {base}/u; scgi_temp_path {base}/s; sendfile off; output_buffers 1 32k; limit_rate 160k;
  server {{ listen 127.0.0.1:{port}; root {base}/www; }} }}
""")
    process = subprocess.Popen(["nginx", "-e", f"{base}/error.log", "-c", f"{base}/nginx.conf"])
    try:
        until(lambda: answers(port), what="nginx")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


os.environ["PATH"] += ":/usr/sbin"
with place() as directory, nginx(directory, free_port()) as url:
    pages = [f"{url}/{page}" for page in "abc"]
    out, t = record(directory, "real/http_gather", *pages, f"{url}/none")
    check(out.splitlines() == [f"{p}: 65536 bytes" for p in pages] + [f"{url}/none: No such file or directory"],
          f"results in the order of the URLs: {out}")
    fetches = [w for p in pages for w in waits(t, "future", f"fetch {p}")]
    check(len(fetches) == 3 and all(w[2] - w[1] > 150 * MS for w in fetches), f"each fetch awaits its future: {fetches}")
    side_by_side(fetches, "three fetches")
    check({w[4] for w in fetches} == {f"fetch:{line_of('real/http_gather.c', 'ls_future_await')}"}, f"where: {fetches}")
    names = {t.one("SELECT kind || ' ' || name FROM object WHERE id = ?", w[3]) for w in fetches}
    check(names == {f"future {p}" for p in pages}, f"on what: {names}")
    sockets = waits(t, "fd", "socket %")
    check(all(w[0] == f"socket {w[3]}" for w in sockets) and len({w[3] for w in sockets}) >= 3, f"a task a socket: {sockets}")
    woke = {w[0] for w in t.all("""SELECT waker.name FROM step p JOIN why ON why.id = p.why JOIN task ON task.id = p.task
                                     JOIN task waker ON waker.id = p.waker WHERE why.name = 'future'""")}
    check(woke and all(w.startswith("socket ") for w in woke), f"who had the answer: {woke}")
    failed = t.all("SELECT name, error FROM task WHERE outcome = 'error'")
    check(failed == [(f"fetch {url}/none", 2)], f"one page is not there: {failed}")
    check(not t.all("SELECT name FROM task WHERE state != 'done'"), "nothing is left behind")
    none_blocked(t, "http_gather")

    out, t = record(directory, "real/http_gather_blocking", *pages)
    check(out.splitlines() == [f"{p}: 65536 bytes" for p in pages], out)
    blocked_in(t, "real/http_gather_blocking.c", "fetch", "/* here */", "poll", [f"fetch {p}" for p in pages])

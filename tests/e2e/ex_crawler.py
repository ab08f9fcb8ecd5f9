"""ex_crawler - examples/real/crawler.c: a bounded group of tasks that spawn into it, over a site of its own."""
import http.server
import sys
import threading
import time

sys.path.insert(0, "tests/lib")
from examples import MS, blocked_in, check, none_blocked, place, record, waits

LIMIT, DELAY = 4, 0.08
SITE = {"/": ["/a", "/b", "/c"], "/a": ["/a/1", "/a/2", "/a/3"], "/b": ["/b/1", "/b/2", "/"], "/c": ["/gone", "/a"],
        "/a/1": [], "/a/2": ["/b/1"], "/a/3": ["/c"], "/b/1": [], "/b/2": []}
asked = []


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        time.sleep(DELAY)
        self.send_response(200 if self.path in SITE else 404)
        self.end_headers()
        for link in SITE.get(self.path, []):
            self.wfile.write(f'<a href="{link}">{link}</a>\n'.encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, daemon=True).start()
pages = {*SITE, "/gone"}
with place() as directory:
    out, t = record(directory, "real/crawler", server.server_port, "/", LIMIT)
    check(out == f"{len(pages)} pages, 1 failed, {LIMIT} at a time at most\n", out)
    check(sorted(asked) == sorted(pages), f"each once: {asked}")
    names = {r[0] for r in t.all("SELECT name FROM task WHERE name LIKE 'page %' AND outcome = 'ok'")}
    check(names == {f"page {p}" for p in pages}, f"a task a page: {names}")
    parents = dict(t.all("""SELECT task.name, parent.name FROM task JOIN task parent ON parent.id = task.parent
                             WHERE task.name LIKE 'page %'"""))
    check(parents["page /"] == "main" and parents["page /a"] == "page /" and parents["page /a/1"] == "page /a",
          f"whose link it was: {parents}")
    spans = [w for w in waits(t, "fd", "page %") if w[2] - w[1] > DELAY * 0.8e9]
    check(len({w[0] for w in spans}) == len(pages), f"each page waits for its answer: {spans}")
    most = max(sum(other[1] <= w[1] < other[2] for other in spans) for w in spans)
    check(most == LIMIT, f"so many side by side: {most}")
    whole = t.one("SELECT max(t_end) - min(t) FROM task WHERE name LIKE 'page %'")
    check(whole < DELAY * 1e9 * len(pages) * 0.7, f"faster than in line: {whole / MS:.0f} ms")
    none_blocked(t, "crawler")

    out, t = record(directory, "real/crawler_blocking", server.server_port, "/", LIMIT)
    check(out == f"{len(pages)} pages, 1 failed\n", out)
    blocked_in(t, "real/crawler_blocking.c", "fetch", "/* here */", "recv", [f"page {p}" for p in pages])
server.shutdown()

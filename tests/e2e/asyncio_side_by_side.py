"""asyncio_side_by_side - both programs of each pair in docs/asyncio print the same, and docs/asyncio.md shows them.

A Python program that needs a newer Python than there is ("# needs Python 3.13" in its first line) is not run: then
NAME.out has what it prints."""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from real import B, check


def certificate(folder):
    """A PEM file with a key and a certificate of localhost; None when there is no openssl."""
    path = f"{folder}/localhost.pem"
    done = shutil.which("openssl") and subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{path}.key", "-out", path],
        stderr=subprocess.DEVNULL)
    if not done or done.returncode:
        return None
    open(path, "a").write(open(f"{path}.key").read())
    return path


def output(argv, env):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=30)
    return p.stdout.decode() if p.returncode == 0 else f"status {p.returncode}: {p.stdout.decode()}{p.stderr.decode()}"


def differs(name, env):
    """None, or what is wrong with the pair."""
    python = f"docs/asyncio/{name}.py"
    needs = re.match(r"# needs Python (\d+)\.(\d+)", open(python).read())
    if needs and sys.version_info < (int(needs[1]), int(needs[2])):
        expected = open(f"docs/asyncio/{name}.out").read()
    else:
        expected = output([sys.executable, python], env)
    got = output([f"{B}/docs/asyncio/{name}"], env)
    if got != expected or not expected or expected.startswith("status"):
        return f"{name}: Python prints\n{expected}and C prints\n{got}"


check(subprocess.run(["scripts/asyncio-doc", "--check"]).returncode == 0, "docs/asyncio.md is out of date")
names = [os.path.basename(p)[:-2] for p in sorted(glob.glob("docs/asyncio/*.c"))]
with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(4) as pool:
    pem = certificate(folder)
    if not pem:
        print("no openssl: start_tls is left out")
        names = [n for n in names if n != "start_tls"]
    env = {**os.environ, "CERTIFICATE": pem or "", "TMPDIR": folder}
    wrong = [w for w in pool.map(lambda n: differs(n, env), names) if w]
check(len(names) > 30, f"{len(names)} pairs")
check(not wrong, "\n" + "\n".join(wrong))

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


def output(argv, env, quiet=False):
    """What it prints; with what it says on stderr when it fails, or is to be quiet."""
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=60)
    said = p.stdout.decode()
    if p.returncode or quiet:
        said += p.stderr.decode()
    return f"status {p.returncode}: {said}" if p.returncode else said


def differs(name, env):
    """None, or what is wrong with the pair.  LOOPSCOPE_DEBUG=1 has nothing to say of a program that makes no mistake."""
    python = f"docs/asyncio/{name}.py"
    needs = re.match(r"# needs Python (\d+)\.(\d+)", open(python).read())
    if needs and sys.version_info < (int(needs[1]), int(needs[2])):
        expected = open(f"docs/asyncio/{name}.out").read()
    else:
        expected = output([sys.executable, python], env)
    debug = {**env, "LOOPSCOPE_DEBUG": "1", "LOOPSCOPE_DEBUG_SLOW": "60s"}
    got = output([f"{B}/docs/asyncio/{name}"], debug, quiet=name not in MISTAKEN)
    if got != expected or not expected or expected.startswith("status"):
        return f"{name}: Python prints\n{expected}and C prints\n{got}"


MISTAKEN = ("debug", "run", "semaphore")  # those that show what a mistake, or an early end of main, leads to
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

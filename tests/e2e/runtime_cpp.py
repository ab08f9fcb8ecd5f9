"""runtime_cpp - the runtime from C++, old and new: it builds without a warning, and exceptions end spans and allowances."""
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from real import B, Trace, check, need, recorded

need("g++")
FLAGS = ["-Wall", "-Wextra", "-Wshadow", "-Werror", "-Iinclude", f"-L{B}", f"-Wl,-rpath,{B}"]
with tempfile.TemporaryDirectory() as folder:
    for standard in "c++11", "c++20":
        program = f"{folder}/{standard}"
        argv = ["g++", f"-std={standard}", *FLAGS, "tests/targets/runtime_cpp.cpp", "-o", program, "-lloopscope-rt",
                "-lloopscope", "-lpthread"]
        built = subprocess.run(argv, stderr=subprocess.PIPE, text=True)
        check(built.returncode == 0 and not built.stderr, f"{standard}: {built.stderr}")
        check(subprocess.run([program], stdout=subprocess.PIPE).stdout == b"0\n", f"{standard}: it failed")
    with recorded([program], "-t", "20ms") as (process, path):
        check(process.wait(60) == 0, "it failed under record")
    trace = Trace(path)
spans = trace.all("SELECT t.name, m.dur FROM mark m JOIN task t ON t.id = m.task WHERE m.name = 'thrown out of'")
check(sorted(s[0] for s in spans) == ["t0", "throws", "throws"] and all(s[1] > 4e6 for s in spans), f"{spans}")
check(trace.one("SELECT count(*) FROM mark WHERE name = 'caught enough'") == 3, "what it said after each")
check(trace.one("SELECT count(*) FROM allow WHERE t_end IS NULL") == 0, "an allowance was left open")

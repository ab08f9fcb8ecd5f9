"""runtime_debug - LOOPSCOPE_DEBUG=1 says each mistake in one line on stderr, with the task and file:line; without it not
a word is said."""
import os
import re
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from real import B, check

PROGRAM = f"{B}/tests/targets/debug_cases"

# What is expected, line by line; MS stands for a time.
EXPECTED = {
    "clean": "",
    "seen": "",
    "unseen": """
        future 'answer' (made at case.c:54) failed with EIO, and nobody saw it
    """,
    "unawaited": """
        task 'dropped' (spawned at case.c:63) failed with ENOENT, and nobody took its result
        task 'orphan 7' (spawned at case.c:61) was never awaited or detached
        task 'lost' (spawned at case.c:62) failed with EPIPE, and nobody took its result
    """,
    "unfinished": """
        task 'sleeper' (spawned at case.c:68) was not over when main was: cancelled; it waited at case.c:13
        task 'late' (spawned at case.c:70) was not over when main was: cancelled; it never ran
    """,
    "stubborn": """
        task 'stubborn' (spawned at case.c:81) was not over when main was: cancelled; it waited at case.c:76
        task 'stubborn' (spawned at case.c:81) is not over when its grace is: from now on its awaits are refused; it waits at case.c:76
        task 'stubborn' goes on awaiting at case.c:76 after main is over: abandoned
    """,
    "twice": """
        ls_await: task 'once' was awaited or detached already (in task 'main', spawned at main.c:219, last awaited at case.c:87)
        ls_lock_release: the lock is NULL (in task 'main', spawned at main.c:219, last awaited at case.c:87)
    """,
    "lock_kept": """
        task 'writer' (spawned at case.c:99) ended and still holds lock 'db' (made at case.c:98)
        lock 'db' (made at case.c:98) was never freed
    """,
    "slow": """
        task 'long_step' (spawned at case.c:130) ran for MS without awaiting, from its start to case.c:105
        task 'long_step' (spawned at case.c:130) ran for MS without awaiting, from case.c:107 to its end
        callback 'call_burns' (set at case.c:132) ran for MS
    """,
    "guardless": """
        the kernel gives no more guard pages (vm.max_map_count): an overflow goes unnoticed from stack 2 on
    """,
    "thread": """
        ls_await: this thread runs no loop: ls_run starts one, ls_post and ls_run_threadsafe reach one
    """,
}


def said(case, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LOOPSCOPE_DEBUG")}
    p = subprocess.run([PROGRAM, case], stderr=subprocess.PIPE, env={**clean, **env}, timeout=60, text=True)
    check(p.returncode == 0, f"{case}: status {p.returncode}: {p.stderr}")
    return re.sub(r"\b\d+ ms\b", "MS", p.stderr)


for case, expected in EXPECTED.items():
    lines = "".join(f"loopscope: {line.strip()}\n" for line in expected.strip().splitlines())
    slow = "120ms" if case == "slow" else "60s"  # a busy machine makes steps long, too
    got = said(case, LOOPSCOPE_DEBUG="1", LOOPSCOPE_DEBUG_SLOW=slow)
    check(got == lines, f"{case}: it said\n{got}and not\n{lines}")
    for off in ({},) if case == "slow" else ({}, {"LOOPSCOPE_DEBUG": "0"}, {"LOOPSCOPE_DEBUG": ""}):
        check(said(case, **off) == "", f"{case}: something was said with {off}")
check("ran for" not in said("slow", LOOPSCOPE_DEBUG="1", LOOPSCOPE_DEBUG_SLOW="10s"), "the threshold is 10s")
check("ran for" in said("slow", LOOPSCOPE_DEBUG="1"), "the threshold is 100 ms")
check("ran for" in said("slow", LOOPSCOPE_DEBUG="1", LOOPSCOPE_DEBUG_SLOW="30"), "a plain number is ms")

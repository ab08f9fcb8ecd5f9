#!/usr/bin/env python3
"""No room: a full disk under the trace, a full TMPDIR, a full /dev/shm, rings of 8 records, --max-size.  The target goes
on as if nothing were; the trace is valid and says what is missing."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fail import LOOPSCOPE, TARGET, Place, check, went_well

if os.geteuid() != 0:
    print("needs root, for mounts of its own")
    sys.exit(77)
if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
    print("may not make a mount namespace")
    sys.exit(77)


def mounted(*mounts):
    """Runs what follows where these tmpfs are mounted, seen by nobody else: [(directory, size)]."""
    script = " && ".join(f"mount -t tmpfs -o size={size} none {where}" for where, size in mounts)
    return ["unshare", "-m", "sh", "-c", f'{script} && shift 0 && "$@"', "sh"]


def keep(place, file):
    """Runs record and copies the trace out of the mount, which goes with the process."""
    return ["sh", "-c", f'"$@"; s=$?; cp {file}* {place.dir}/ 2>&1 || true; exit $s', "sh"]


def facts(place):
    t = place.trace()
    gaps = t.all("SELECT coalesce(lost, 0), reason FROM gap")
    print(f"         {t.one('SELECT count(*) FROM iteration')} turns, lost {t.lost()}, gaps {len(gaps)} {gaps[:2]}")
    return t, gaps


with Place("a full disk") as place:
    disk = f"{place.dir}/disk"
    os.mkdir(disk)
    p = place.record(TARGET, "flood", "400000", file=f"{disk}/t.db",
                     prefix=[*mounted((disk, "2m")), *keep(place, f"{disk}/t.db")])
    went_well(p, p.stdout, "flood 400000", place.name)
    check("full" in p.stderr or "No space" in p.stderr, p.stderr)
    t, gaps = facts(place)
    check(t.lost() > 0 and any("disk full" in g[1] for g in gaps), "the trace says what it lacks")
    check("disk full" in place.report(), "and so does the report")

with Place("a disk that was full before") as place:
    disk = f"{place.dir}/disk"
    os.mkdir(disk)
    p = place.record(TARGET, "turns", "10", file=f"{disk}/t.db", prefix=[*mounted((disk, "64k")), *keep(place, f"{disk}/t.db")])
    check(p.returncode == 125 and "turns" not in p.stdout, f"nothing is started: {p.returncode} {p.stderr}")
    check("No space" in p.stderr or "full" in p.stderr, p.stderr)

for size in ("64k", "1m", "6m"):
    with Place(f"/dev/shm of {size}") as place:
        env = {**place.env, "XDG_RUNTIME_DIR": "/nowhere"}
        p = place.record(TARGET, "flood", "300000", env=env, file="/run/t.db",
                         prefix=[*mounted(("/run", "200m"), ("/dev/shm", size)), "sh", "-c", '"$@"; s=$?; '
                                 f'ls -d /dev/shm/loopscope-* /tmp/loopscope-?????? 2>/dev/null; {LOOPSCOPE} sql /run/t.db '
                                 '"SELECT group_concat(key || \'=\' || value, \' \') FROM meta WHERE key IN (\'lost\',\'finalized\', \'events\')" >&2; '
                                 f'{LOOPSCOPE} sql /run/t.db "PRAGMA integrity_check" >&2; exit $s', "sh"])
        went_well(p, p.stdout, "flood 300000", place.name)
        print("         " + " ".join(p.stderr.split("\n")[-6:]))
        check("finalized=1" in p.stderr and "ok" in p.stderr, p.stderr)
        check("/loopscope-" not in p.stdout, f"left behind: {p.stdout}")

with Place("/dev/shm that fills while it is recorded") as place:
    fill = 'head -c 100m /dev/zero > /dev/shm/fill 2>/dev/null; '
    env = {**place.env, "XDG_RUNTIME_DIR": "/nowhere"}
    p = place.record("sh", "-c", f"{fill} exec {TARGET} threads 10", env=env, file="/run/t.db",
                     prefix=[*mounted(("/run", "200m"), ("/dev/shm", "40m")), "sh", "-c",
                             f'"$@"; s=$?; {LOOPSCOPE} report /run/t.db >&2; exit $s', "sh"])
    went_well(p, p.stdout, "threads 10", place.name)
    check("shared memory is full" in p.stderr and '10 loops' in p.stderr, p.stderr)

with Place("rings of 8 records") as place:
    p = place.record(TARGET, "flood", "200000", options=("--buffer", "256"))
    went_well(p, p.stdout, "flood 200000", place.name)
    t, gaps = facts(place)
    check(t.lost() > 0 and gaps, "what has no room is counted")
    check("lost" in place.report(), "and told")

with Place("rings of 8 records, slowly") as place:
    p = place.record(TARGET, "turns", "200", options=("--buffer", "256"))
    went_well(p, p.stdout, "turns 200", place.name)
    t, gaps = facts(place)
    check(any(s[2] > 39e6 for s in t.stalls()), f"the stall is there: {t.stalls()}")

for limit in (("--max-size", "1K"), ("--duration", "1us")):
    with Place("a limit that is reached before the command starts: " + limit[0]) as place:
        p = place.record(TARGET, "turns", "200", options=limit)
        went_well(p, p.stdout, "turns 200", place.name)
        check(place.trace().one("SELECT value FROM meta WHERE key = 'ended_by'") == limit[0][2:], "the trace says why it ends")

with Place("--max-size") as place:
    p = place.record(TARGET, "flood", "1500000", options=("--max-size", "8M"))
    went_well(p, p.stdout, "flood 1500000", place.name)
    t = place.trace()
    check(t.one("SELECT value FROM meta WHERE key = 'ended_by'") == "max-size", "the trace says why it ends")
    check(os.path.getsize(place.file) < 24 << 20, f"{os.path.getsize(place.file)} bytes")

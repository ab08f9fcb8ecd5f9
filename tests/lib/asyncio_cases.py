"""asyncio_cases - the same cases in Python's asyncio and in C (tests/targets/NAME.c), both in virtual time, have to say the
same, line by line.  tests/e2e/NAME.py has the cases and calls run(NAME)."""
import asyncio
import errno
import os
import subprocess
import sys

CASES = []


def case(fn):
    CASES.append(fn)
    return fn


class Virtual(asyncio.SelectorEventLoop):
    """Time stands still while something runs, and jumps to the next timer."""

    def __init__(self):
        super().__init__()
        self.clock = 0
        select = self._selector.select

        def jump(timeout):
            events = select(0)
            if not events and timeout:
                self.clock += timeout
            return events

        self._selector.select = jump

    def time(self):
        return self.clock


def say(text):
    print(f"  {round(asyncio.get_running_loop().time())} {text}")


def fail(number):
    raise OSError(number, os.strerror(number))


def leaves(error):
    return [leaf for e in error.exceptions for leaf in leaves(e)] if isinstance(error, ExceptionGroup) else [error]


def word(value):
    if isinstance(value, asyncio.CancelledError):
        return "ECANCELED"
    if isinstance(value, ExceptionGroup):
        return " ".join(word(e) for e in leaves(value))
    if isinstance(value, TimeoutError):
        return "ETIMEDOUT"
    if isinstance(value, OSError):
        return errno.errorcode[value.errno]
    if isinstance(value, list):
        return " ".join(word(v) for v in value)
    return str(value)


async def show(what, awaitable):
    try:
        value = await awaitable
    except BaseException as e:
        value = e
    say(f"{what}: {word(value)}")
    return 0


async def work(name, delay, value=0, cleanup=0, instead=0):
    """Sleeps and returns, or fails with -value.  When it is cancelled: sleeps for its clean-up, and fails with `instead`."""
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError:
        say(f"{name} cancelled")
        if cleanup:
            await asyncio.sleep(cleanup)
            say(f"{name} cleaned up")
        if instead:
            fail(instead)
        raise
    say(f"{name} {'fails' if value < 0 else 'done'}")
    if value < 0:
        fail(-value)
    return value


def job(*args):
    return asyncio.create_task(work(*args))


async def cancel_at(delay, task):
    await asyncio.sleep(delay)
    say("cancel")
    task.cancel()


async def under(name, timeout, body):
    """The outcome of body in a scope."""
    try:
        async with asyncio.timeout(timeout) as cm:
            await body
        say(f"{name}: 0")
    except TimeoutError:
        say(f"{name}: ETIMEDOUT")
    return cm


def python():
    for c in CASES:
        print(f"== {c.__name__}")
        with asyncio.Runner(loop_factory=Virtual) as runner:
            runner.run(c())


def sections(text):
    """By name.  asyncio's groups are sets, so their order of cancelling is none: who is cancelled at one time, sorted."""
    result = {}
    for section in text.split("== ")[1:]:
        name, *lines = section.splitlines()
        if "group" in name or "child" in name or name == "test_cancellation":
            first = 0
            for i in range(len(lines) + 1):
                if i == len(lines) or not lines[i].endswith(" cancelled"):
                    lines[first:i] = sorted(lines[first:i])
                    first = i + 1
        result[name] = "\n".join(lines) + "\n"
    return result


def run(name):
    if sys.version_info < (3, 11):
        print("asyncio has timeout and TaskGroup since Python 3.11")
        sys.exit(77)
    if sys.argv[1:] == ["python"]:
        python()
        sys.exit(0)
    here = subprocess.run([sys.executable, sys.argv[0], "python"], capture_output=True, text=True, timeout=60)
    target = os.path.join(os.environ.get("B", "build"), "tests/targets", name)
    there = subprocess.run([target], capture_output=True, text=True, timeout=60)
    ours, theirs = sections(there.stdout), sections(here.stdout)
    bad = 0
    for name in list(theirs) + [n for n in ours if n not in theirs]:
        if ours.get(name) != theirs.get(name):
            bad += 1
            print(f"{name}: asyncio:\n{theirs.get(name)}ours:\n{ours.get(name)}")
    print(f"{len(theirs) - bad} of {len(theirs)} cases as asyncio")
    if here.returncode or there.returncode or here.stderr or there.stderr:
        print(f"status {here.returncode} {there.returncode}\n{here.stderr}{there.stderr}")
        bad += 1
    sys.exit(1 if bad or len(theirs) != len(CASES) else 0)

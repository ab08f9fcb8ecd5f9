"""asyncio_cancel - cancel, uncancel, done callbacks and timeouts do what asyncio's do.  A case is named after asyncio's own
test, where there is one.

Not here, because it differs, as tasks.h says:
  test_cancel_at_end              a task that was cancelled and returns before it is told is not cancelled here
  test_wait_for_reraises_exception_during_cancellation, test_wait_for_self_cancellation
                                  a cancel that goes through to an awaited task comes back as ECANCELED, also when that
                                  task ended otherwise (ls_result says how); asyncio gives its result or exception
  test_foreign_exception_on_timeout  ETIMEDOUT whatever the body made of its ECANCELED; the body's errno is at hand"""
import asyncio
import errno
import sys

sys.path.insert(0, "tests/lib")
from asyncio_cases import case, cancel_at, job, run, say, show, under, work


# cancel

@case
async def test_cancelling():
    task = job("task", 9)
    say(f"{task.cancelling()}")
    task.cancel()
    task.cancel()
    say(f"{task.cancelling()}")
    await show("task", task)  # never began


@case
async def test_uncancel_basic():
    async def twice():
        await show("first", asyncio.sleep(9))
        say(f"left {asyncio.current_task().uncancel()}")
        await asyncio.sleep(9)

    task = asyncio.create_task(twice())
    await cancel_at(1, task)
    await asyncio.sleep(1)
    say(f"{task.cancelling()} {task.done():d} {task.cancelled():d}")
    await cancel_at(1, task)
    await show("task", task)
    say(f"{task.cancelling()} {task.done():d} {task.cancelled():d}")


@case
async def test_cancel_task_catching():
    async def catches():
        await show("sleep", asyncio.sleep(9))
        return 42

    task = asyncio.create_task(catches())
    await cancel_at(1, task)
    await show("task", task)
    say(f"{task.cancelled():d}")


@case
async def test_cancel_task_ignoring():
    async def ignores():
        await show("sleep", asyncio.sleep(9))
        await show("sleep", asyncio.sleep(2, 0))
        return 42

    task = asyncio.create_task(ignores())
    await cancel_at(1, task)
    await show("task", task)


@case
async def test_cancel_current_task():
    async def itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(100)
        return 12

    task = asyncio.create_task(itself())
    await show("task", task)
    say(f"{task.cancelled():d} {task.cancel():d}")


@case
async def test_cancel_awaited_task():
    nested = None

    async def coro():
        nonlocal nested
        nested = job("nested", 9)
        await asyncio.sleep(0)
        asyncio.current_task().cancel()
        await nested

    task = asyncio.create_task(coro())
    await show("task", task)
    say(f"{task.cancelled():d} {nested.cancelled():d}")


@case
async def test_yield_future_passes_cancel():
    inner = job("inner", 9, 0, 2)

    async def outer():
        await show("outer", inner)

    outer = asyncio.create_task(outer())
    await cancel_at(1, outer)
    await outer


@case
async def cancel_goes_down_a_chain():
    async def link(n):
        await (asyncio.create_task(link(n - 1)) if n else job("end", 9))

    task = asyncio.create_task(link(5))
    await cancel_at(1, task)
    await show("chain", task)


@case
async def cancelled_twice_at_once():
    task = job("task", 9, 0, 2)
    await asyncio.sleep(1)
    task.cancel()
    task.cancel()
    await show("task", task)
    say(f"{task.cancelling()}")


@case
async def awaits_after_a_cancel_work():
    task = job("task", 9, 0, 2)
    await cancel_at(1, task)
    await show("task", task)


@case
async def done_callbacks():
    task = job("task", 1, 5)

    def called(n):
        return lambda t: print(f"  called {n}: {t.result()}")

    calls = [called(i) for i in range(4)]
    for c in calls:
        task.add_done_callback(c)
    say(f"removed {task.remove_done_callback(calls[1])}")
    await asyncio.sleep(2)
    say("later")
    task.add_done_callback(calls[0])
    await asyncio.sleep(1)
    say("end")


# timeout

@case
async def test_timeout_basic():
    await under("timeout", 1, work("body", 10))


@case
async def test_nested_timeouts():
    async def inner():
        try:
            await under("inner", 1, work("body", 10))
        except asyncio.CancelledError:
            say("inner: 0")  # not its own
            raise

    await under("outer", 1, inner())


@case
async def nested_timeout_inner_first():
    async def both():
        await under("inner", 1, work("a", 10))
        await work("b", 10)

    await under("outer", 3, both())


@case
async def nested_timeout_outer_first():
    async def inner():
        try:
            await under("inner", 3, work("body", 10))
        except asyncio.CancelledError:
            say("inner: 0")
            raise

    await under("outer", 1, inner())
    await work("after", 5)


@case
async def test_timeout_not_called():
    await under("timeout", 10, work("body", 1))
    await work("after", 20)


@case
async def test_timeout_disabled():
    await under("timeout", None, work("body", 1))


@case
async def test_timeout_zero():
    await under("timeout", 0, work("body", 10))


@case
async def test_timeout_zero_sleep_zero():
    await under("timeout", 0, work("body", 0))


@case
async def test_timeout_in_the_past_sleep_zero():
    await under("timeout", -11, work("body", 0))


@case
async def test_foreign_cancel_doesnt_timeout_if_not_expired():
    async def body():
        asyncio.current_task().cancel()
        await work("body", 10)

    try:
        await under("timeout", 10, body())
    except asyncio.CancelledError:
        say("timeout: 0 ECANCELED")


@case
async def test_outer_task_is_not_cancelled():
    async def outer():
        await under("timeout", 1, work("body", 10))
        return 1

    task = asyncio.create_task(outer())
    await show("task", task)
    say(f"{task.cancelled():d} {task.cancelling()}")


@case
async def test_reschedule():
    async with asyncio.timeout(2) as cm:
        await work("a", 1)
        cm.reschedule(5)
        await work("b", 3)
        cm.reschedule(None)
        await work("c", 9)
    say("timeout: 0")


@case
async def reschedule_earlier():
    try:
        async with asyncio.timeout(9) as cm:
            cm.reschedule(asyncio.get_running_loop().time() + 1)
            await work("a", 5)
    except TimeoutError:
        say("timeout: ETIMEDOUT")


@case
async def test_nested_timeout_in_finally():
    async def body():
        try:
            await work("body", 10)
        finally:
            await under("inner", 1, work("clean-up", 10))

    await under("outer", 1, body())


@case
async def test_timeout_after_cancellation():
    asyncio.current_task().cancel()
    await show("work", asyncio.sleep(1))
    await under("timeout", 0, work("clean-up", 1))
    say(f"{asyncio.current_task().uncancel()}")


@case
async def test_cancel_in_timeout_after_cancellation():
    async def again():
        asyncio.current_task().cancel()
        await work("clean-up", 2)

    asyncio.current_task().cancel()
    await show("work", asyncio.sleep(1))
    try:
        await under("timeout", 1, again())
    except asyncio.CancelledError:
        say("timeout: 0 ECANCELED")
    asyncio.current_task().uncancel()
    say(f"{asyncio.current_task().uncancel()}")


@case
async def timeout_then_cancel_from_outside():
    async def body():
        await under("timeout", 1, work("body", 10, 0, 5))

    task = asyncio.create_task(body())
    await cancel_at(3, task)
    await show("task", task)


@case
async def test_timeout_expired():
    try:
        async with asyncio.timeout(1) as cm:
            await asyncio.sleep(5)
    except TimeoutError:
        say("ETIMEDOUT")
    try:
        cm.reschedule(9)
    except RuntimeError:
        say("refused")


@case
async def test_timeout_expiring():
    try:
        async with asyncio.timeout(1) as cm:
            await show("sleep", asyncio.sleep(5))
            try:
                cm.reschedule(9)
            except RuntimeError:
                say("refused")
            await work("clean-up", 2)
            raise asyncio.CancelledError
    except TimeoutError:
        say("timeout: ETIMEDOUT")


@case
async def test_wait_for_waits_for_task_cancellation():
    task = job("task", 9, 0, 3)
    await show("wait_for", asyncio.wait_for(task, 1))
    say(f"{task.cancelled():d}")


@case
async def test_wait_for():
    await show("wait_for", asyncio.wait_for(job("task", 1, 4), 2))
    await show("wait_for", asyncio.wait_for(job("task", 1, -errno.EDOM), 2))


@case
async def test_cancel_wait_for():
    task = job("task", 9)
    outer = asyncio.create_task(show("wait_for", asyncio.wait_for(task, 5)))
    await cancel_at(1, outer)
    await outer
    say(f"{task.cancelled():d}")


run("asyncio_cancel")

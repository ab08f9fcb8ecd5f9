"""asyncio_waits - gather, wait, as_completed and shield do what asyncio's do.  A case is named after asyncio's own test,
where there is one.

Not here, because it differs, as tasks.h says:
  duplicates                      a handle is for one wait: EBUSY
  as_completed of what is over    in the order of the ends; asyncio has none"""
import asyncio
import errno
import sys

sys.path.insert(0, "tests/lib")
from asyncio_cases import case, cancel_at, job, run, say, show, word


# gather

@case
async def test_success():
    await show("gather", asyncio.gather(job("a", 3, 2), job("b", 1, 1), job("c", 2, 3)))


@case
async def test_one_exception():
    tasks = job("a", 1, 1), job("b", 2, -errno.EDOM), job("c", 3, 3)
    await show("gather", asyncio.gather(*tasks))
    await show("c", tasks[2])


@case
async def test_return_exceptions():
    tasks = job("a", 3, 3), job("b", 1, 1), job("c", 2, -errno.EDOM), job("d", 4, -errno.EIO)
    await show("gather", asyncio.gather(*tasks, return_exceptions=True))


@case
async def test_constructor_empty_sequence():
    await show("gather", asyncio.gather())


@case
async def test_one_cancellation():
    tasks = job("a", 1, 1), job("b", 3, 1), job("c", 4, 3)
    asyncio.create_task(cancel_at(2, tasks[1]))
    await show("gather", asyncio.gather(*tasks))
    await show("c", tasks[2])


@case
async def test_result_exception_one_cancellation():
    tasks = job("a", 1, 1), job("b", 2, -errno.EDOM), job("c", 9, 1), job("d", 4, 3), job("e", 5, -errno.EIO)
    asyncio.create_task(cancel_at(3, tasks[2]))
    await show("gather", asyncio.gather(*tasks, return_exceptions=True))


@case
async def test_cancellation_broadcast():
    tasks = job("a", 9), job("b", 9)

    async def outer():
        await show("gather", asyncio.gather(*tasks))

    outer = asyncio.create_task(outer())
    await cancel_at(1, outer)
    await outer
    say(f"{tasks[0].cancelled():d} {tasks[1].cancelled():d}")


@case
async def test_cancel_gather_2():
    async def again():
        for _ in range(10):
            await asyncio.gather(job("sleep", 2), return_exceptions=True)

    task = asyncio.create_task(again())
    await cancel_at(5, task)
    await show("again", task)


@case
async def test_exception_marking():
    tasks = job("a", 1, -errno.EDOM), job("b", 2, -errno.EIO)
    await show("gather", asyncio.gather(*tasks))
    await asyncio.sleep(3)
    say(word(tasks[1].exception()))
    await finish(tasks)


@case
async def gather_in_a_timeout_cancels_all():
    tasks = job("a", 1, 1), job("b", 9)
    await show("gather", asyncio.wait_for(asyncio.gather(*tasks), 2))
    say(f"{tasks[0].cancelled():d} {tasks[1].cancelled():d}")


@case
async def gather_nested():
    inner = [asyncio.create_task(inner_gather(i)) for i in range(2)]
    outer = asyncio.create_task(show("outer", asyncio.gather(*inner)))
    await cancel_at(1, outer)
    await outer


async def inner_gather(i):
    await asyncio.gather(job(f"{i}.0", 5), job(f"{i}.1", 5))


# wait

async def wait(tasks, when=asyncio.ALL_COMPLETED, timeout=None):
    done, pending = await asyncio.wait(tasks, return_when=when, timeout=timeout)
    timed_out = pending and when == asyncio.ALL_COMPLETED
    say(f"wait: {'ETIMEDOUT' if timed_out else '0'} {' '.join(str(int(t in done)) for t in tasks)}")


async def finish(tasks):
    """ls_reap."""
    for t in tasks:
        t.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@case
async def test_wait():
    tasks = [job("a", 2), job("b", 3)]
    await wait(tasks)
    await wait(tasks)


@case
async def test_wait_errors():
    task = job("a", 1)
    for tasks, options in ((), {}), ((task,), {"return_when": -1}):
        try:
            await asyncio.wait(tasks, **options)
        except ValueError:
            say("EINVAL")
    await asyncio.sleep(2)


@case
async def test_wait_first_completed():
    tasks = [job("a", 10), job("b", 1)]
    await wait(tasks, asyncio.FIRST_COMPLETED)
    await finish(tasks)


@case
async def test_wait_really_done():
    tasks = [job("a", 0), job("b", 0)]
    await asyncio.sleep(1)
    await wait(tasks, asyncio.FIRST_COMPLETED)


@case
async def test_wait_first_exception():
    tasks = [job("a", 10), job("b", 0, -errno.EDOM)]
    await wait(tasks, asyncio.FIRST_EXCEPTION)
    await finish(tasks)


@case
async def test_wait_first_exception_in_wait():
    tasks = [job("a", 10), job("b", 1, -errno.EDOM)]
    await wait(tasks, asyncio.FIRST_EXCEPTION)
    await finish(tasks)


@case
async def wait_first_exception_is_no_cancel():
    tasks = [job("a", 3), job("b", 9)]
    asyncio.create_task(cancel_at(1, tasks[1]))
    await wait(tasks, asyncio.FIRST_EXCEPTION)


@case
async def test_wait_with_exception():
    tasks = [job("a", 2), job("b", 3, -errno.EDOM)]
    await wait(tasks)
    await wait(tasks)
    await finish(tasks)


@case
async def test_wait_with_timeout():
    tasks = [job("a", 1), job("b", 3)]
    await wait(tasks, timeout=2)
    await finish(tasks)


@case
async def test_wait_concurrent_complete():
    tasks = [job("a", 1), job("b", 3)]
    await asyncio.sleep(0)
    await wait(tasks, timeout=1)
    await finish(tasks)


@case
async def test_yield_wait_does_not_shield_cancel():
    inner = job("inner", 3)
    outer = asyncio.create_task(asyncio.wait([inner]))
    await cancel_at(1, outer)
    await show("outer", outer)
    await show("inner", inner)


# as_completed

async def in_order(tasks, timeout=None):
    for f in asyncio.as_completed(tasks, timeout=timeout):
        await show("next", f)


@case
async def test_as_completed():
    await in_order([job("b", 2, 2), job("c", 3, 3), job("a", 1, 1)])


@case
async def test_as_completed_with_timeout():
    tasks = [job("a", 1, 1), job("b", 3, 2)]
    await in_order(tasks, 2)
    await finish(tasks)


@case
async def test_as_completed_with_unused_timeout():
    await in_order([job("a", 1, 1)], 9)


@case
async def test_as_completed_concurrent():
    await in_order([job("a", 1, 1), job("b", 1, 2)])


@case
async def as_completed_with_errors():
    tasks = [job("a", 3, 1), job("b", 2, -errno.EDOM), job("c", 9)]
    asyncio.create_task(cancel_at(1, tasks[2]))
    await in_order(tasks)


# shield

@case
async def test_shield_result():
    await show("shield", asyncio.shield(job("inner", 1, 42)))


@case
async def test_shield_exception():
    await show("shield", asyncio.shield(job("inner", 1, -errno.EDOM)))


@case
async def test_shield_cancel_inner():
    inner = job("inner", 9)
    asyncio.create_task(cancel_at(1, inner))
    await show("shield", asyncio.shield(inner))


@case
async def test_shield_cancel_outer():
    inner = job("inner", 3, 7)
    outer = asyncio.create_task(show("shield", asyncio.shield(inner)))
    await cancel_at(1, outer)
    await outer
    await show("inner", inner)


@case
async def test_shield_shortcut():
    inner = job("inner", 0, 42)
    await asyncio.sleep(1)
    await show("shield", asyncio.shield(inner))


@case
async def test_shield_gather():
    async def parent():
        await show("gather", asyncio.gather(job("a", 2, 1), job("b", 3, 2)))

    parent = asyncio.create_task(parent())
    outer = asyncio.create_task(show("shield", asyncio.shield(parent)))
    await cancel_at(1, outer)
    await outer
    await parent


@case
async def test_gather_shield():
    inner = job("a", 3, 1), job("b", 3, 2)
    shields = [asyncio.create_task(show("shield", asyncio.shield(t))) for t in inner]
    outer = asyncio.create_task(show("gather", asyncio.gather(*shields)))
    await asyncio.sleep(1)
    say("cancel")
    for t in shields:
        t.cancel()
    await outer
    await show("inner", asyncio.gather(*inner))


run("asyncio_waits")

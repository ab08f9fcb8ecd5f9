"""asyncio_groups - groups and task-locals do what asyncio.TaskGroup and contextvars do.  A case is named after asyncio's
own test, where there is one.

Not here, because it differs, as tasks.h says:
  test_taskgroup_16               awaits a task through which a cancel went: ECANCELED here, its exceptions there
  test_taskgroup_18 .. 21a        what the group's body fails with is its own; ls_group_close tells of the tasks"""
import asyncio
import errno
import sys

sys.path.insert(0, "tests/lib")
from asyncio_cases import case, cancel_at, fail, run, say, show, under, word, work


# groups

async def group(what, jobs, body=None, before=None):
    try:
        async with asyncio.TaskGroup() as g:
            tasks = [g.create_task(work(*j)) for j in jobs]
            if before:
                await before(g)
            if body:
                await body
        say(f"{what}: 0")
    except asyncio.CancelledError:
        say(f"{what}: ECANCELED")
        raise
    except ExceptionGroup as e:
        say(f"{what}: {word(e)}")
    return tasks


@case
async def test_taskgroup_01():
    tasks = await group("group", [("a", 1, 42), ("b", 2, 11)])
    say(f"{tasks[0].result()} {tasks[1].result()}")


@case
async def test_taskgroup_02():
    async def later(g):
        await asyncio.sleep(1)
        g.create_task(work("b", 2, 11))

    await group("group", [("a", 2, 42)], before=later)


@case
async def test_taskgroup_03():
    async with asyncio.TaskGroup() as g:
        a = g.create_task(work("a", 9, 42))
        await asyncio.sleep(1)
        a.cancel()
        b = g.create_task(work("b", 2, 11))
    say(f"{a.cancelled():d} {b.result()}")


@case
async def test_taskgroup_04():
    await group("group", [("a", 1, -errno.EDOM), ("b", 9)])


@case
async def test_cancel_children_on_child_error():
    async def body():
        await work("body", 10)

    await group("group", [("a", 1, -errno.EDOM), ("b", 5)], body())
    await work("after", 1)
    say(f"{asyncio.current_task().cancelling()}")


@case
async def test_cancellation():
    runner = asyncio.create_task(group("group", [(f"{i}", 5) for i in range(5)]))
    await cancel_at(1, runner)
    await show("runner", runner)


@case
async def test_taskgroup_07():
    runner = asyncio.create_task(group("group", [("a", 5), ("b", 5)], work("body", 10)))
    await cancel_at(1, runner)
    await show("runner", runner)


@case
async def test_taskgroup_08():
    runner = asyncio.create_task(group("group", [(f"{i}", 10, 0, 0, errno.EDOM) for i in range(3)], work("body", 10)))
    await cancel_at(1, runner)
    await runner


@case
async def test_taskgroup_12():
    async def outer():
        try:
            async with asyncio.TaskGroup() as g1:
                g1.create_task(work("outer", 10))
                jobs = [(f"{i}", 10, 0, 0, errno.EDOM) for i in range(2)]
                await group("inner", jobs, work("body", 10))
                fail(errno.EIO)
        except ExceptionGroup:
            say("outer: over")

    runner = asyncio.create_task(outer())
    await cancel_at(1, runner)
    await runner


@case
async def test_taskgroup_13():
    await group("outer", [("a", 1, -errno.EINVAL)], group("inner", [("b", 10)]))


@case
async def test_taskgroup_14():
    await group("outer", [("a", 3)], group("inner", [("b", 1, -errno.EINVAL)]))


@case
async def test_taskgroup_15():
    runner = asyncio.create_task(group("group", [("a", 3, -errno.EDOM)], work("body", 10, 0, 5)))
    await cancel_at(1, runner)
    await runner


@case
async def test_taskgroup_17():
    runner = asyncio.create_task(group("group", [], work("body", 10)))
    await cancel_at(1, runner)
    await show("runner", runner)


@case
async def test_taskgroup_23():
    async with asyncio.TaskGroup() as g:
        for i in range(10):
            await asyncio.sleep(2)
            g.create_task(asyncio.sleep(5))
            if i == 5:
                say(f"{len(g._tasks)}")
        await asyncio.sleep(14)
        say(f"{len(g._tasks)}")


@case
async def test_taskgroup_24():
    async def root(g):
        await asyncio.sleep(1)
        g.create_task(work("a", 1))
        g.create_task(work("b", 2))

    async with asyncio.TaskGroup() as g:
        g.create_task(root(g))
    say("over")


@case
async def test_taskgroup_no_create_task_after_failure():
    async def tries(g):
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            coro = work("never", 0)
            try:
                g.create_task(coro)
            except RuntimeError:
                say("refused")
                coro.close()
            raise

    try:
        async with asyncio.TaskGroup() as g:
            g.create_task(work("a", 1, -errno.EDOM))
            g.create_task(tries(g))
    except ExceptionGroup as e:
        say(f"group: {word(e)}")


@case
async def test_taskgroup_finished():
    async with asyncio.TaskGroup() as g:
        pass
    coro = work("never", 0)
    try:
        g.create_task(coro)
    except RuntimeError:
        say("refused")
        coro.close()


@case
async def group_all_errors():
    await group("group", [("a", 1, -errno.EDOM), ("b", 9, 0, 1, errno.EIO), ("c", 9, 0, 0, errno.EPIPE)])


@case
async def group_in_a_timeout():
    async def body():
        try:
            await group("group", [("a", 5), ("b", 6)])
        except asyncio.CancelledError:
            say("told")
            raise

    await under("timeout", 2, body())


@case
async def group_cancelled_twice():
    runner = asyncio.create_task(group("group", [("a", 9, 0, 4)]))
    await cancel_at(1, runner)
    await cancel_at(1, runner)
    await show("runner", runner)


# locals

@case
async def contextvars_are_inherited():
    import contextvars

    var = contextvars.ContextVar("var", default=0)

    async def child(name):
        say(f"{name} {var.get()}")
        var.set(var.get() + 10)
        await asyncio.sleep(1)
        say(f"{name} {var.get()}")

    var.set(1)
    a = asyncio.create_task(child("a"))
    var.set(2)
    b = asyncio.create_task(child("b"))
    var.set(3)
    await asyncio.gather(a, b)
    say(f"main {var.get()}")


run("asyncio_groups")

import asyncio
import errno


async def good():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("the rest is cancelled")
        raise


async def bad():
    await asyncio.sleep(0.01)
    raise OSError(errno.EPIPE, "broken")


async def main():
    try:
        async with asyncio.TaskGroup() as g:
            g.create_task(good(), name="good")
            g.create_task(bad(), name="bad")
    except* OSError as group:
        for e in group.exceptions:
            print("failed:", errno.errorcode[e.errno])


asyncio.run(main())

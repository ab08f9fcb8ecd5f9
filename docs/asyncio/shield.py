import asyncio


async def save():
    await asyncio.sleep(0.02)
    print("saved")


async def caller(task):
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        print("the caller is cancelled")


async def main():
    task = asyncio.create_task(save())
    c = asyncio.create_task(caller(task))
    await asyncio.sleep(0)
    c.cancel()
    await c
    await task


asyncio.run(main())

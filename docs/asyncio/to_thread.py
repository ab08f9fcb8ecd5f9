import asyncio
import time


def blocking(ms):
    time.sleep(ms / 1000)
    return ms


async def ticks():
    for i in range(3):
        await asyncio.sleep(0.01)
        print("tick")


async def main():
    t = asyncio.create_task(ticks())
    print("it returned", await asyncio.to_thread(blocking, 300))
    await t


asyncio.run(main())

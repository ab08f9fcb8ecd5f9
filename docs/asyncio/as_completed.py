import asyncio


async def fetch(i, delay):
    await asyncio.sleep(delay)
    return i


async def main():
    for next_done in asyncio.as_completed([fetch(1, 0.06), fetch(2, 0.02), fetch(3, 0.04)]):
        print(await next_done)


asyncio.run(main())

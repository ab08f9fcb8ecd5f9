import asyncio


async def fetch(i, delay):
    await asyncio.sleep(delay)
    print("end of", i)
    return i


async def main():
    print(await asyncio.gather(fetch(1, 0.03), fetch(2, 0.01), fetch(3, 0.02)))


asyncio.run(main())

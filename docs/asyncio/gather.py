import asyncio


async def fetch(i, delay):
    await asyncio.sleep(delay)
    print("end of", i)
    return i


async def main():
    print(await asyncio.gather(fetch(1, 0.06), fetch(2, 0.02), fetch(3, 0.04)))


asyncio.run(main())

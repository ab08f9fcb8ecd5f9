import asyncio


async def count(name):
    for i in range(3):
        print(name, i)
        await asyncio.sleep(0)


async def main():
    await asyncio.gather(count("a"), count("b"))
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.sleep(0.02)
    print("at least 20 ms:", loop.time() - start >= 0.0199)


asyncio.run(main())

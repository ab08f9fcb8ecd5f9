import asyncio


async def worker(name, lock):
    async with lock:
        print(name, "has it")
        await asyncio.sleep(0.005)
        print(name, "gives it back")


async def main():
    lock = asyncio.Lock()
    await asyncio.gather(*(worker(n, lock) for n in "abc"))


asyncio.run(main())

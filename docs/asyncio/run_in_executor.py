import asyncio
from concurrent.futures import ThreadPoolExecutor


def square(n):
    return n * n


async def main():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=1) as pool:
        for n in range(3):
            print(await loop.run_in_executor(pool, square, n))


asyncio.run(main())

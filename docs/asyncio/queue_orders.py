import asyncio


async def main():
    for queue in asyncio.PriorityQueue(), asyncio.LifoQueue():
        for n in 2, 3, 1:
            queue.put_nowait(n)
        print([await queue.get() for _ in range(3)])


asyncio.run(main())

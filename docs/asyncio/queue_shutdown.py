# needs Python 3.13
import asyncio


async def worker(queue):
    try:
        while True:
            print("got", await queue.get())
    except asyncio.QueueShutDown:
        print("no more")


async def main():
    queue = asyncio.Queue()
    w = asyncio.create_task(worker(queue))
    for n in range(2):
        await queue.put(n)
    queue.shutdown()
    try:
        await queue.put(2)
    except asyncio.QueueShutDown:
        print("closed")
    await w


asyncio.run(main())

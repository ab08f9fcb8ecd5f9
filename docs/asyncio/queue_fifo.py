import asyncio


async def worker(queue):
    while True:
        n = await queue.get()
        print("works on", n)
        await asyncio.sleep(0.001)
        queue.task_done()


async def main():
    queue = asyncio.Queue(maxsize=2)
    w = asyncio.create_task(worker(queue))
    for n in range(4):
        await queue.put(n)
    await queue.join()
    print("all is done,", queue.qsize(), "left")
    w.cancel()


asyncio.run(main())

import asyncio

running = most = 0


async def worker(sem):
    global running, most
    async with sem:
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1


async def main():
    sem = asyncio.BoundedSemaphore(2)
    await asyncio.gather(*(worker(sem) for _ in range(6)))
    print("at most", most, "at a time")
    try:
        sem.release()
    except ValueError:
        print("released too often")


asyncio.run(main())

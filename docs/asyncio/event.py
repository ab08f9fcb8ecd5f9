import asyncio


async def waiter(name, event):
    await event.wait()
    print(name, "goes")


async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(waiter(n, event)) for n in "ab"]
    await asyncio.sleep(0.01)
    print("set:", event.is_set())
    event.set()
    await asyncio.gather(*tasks)


asyncio.run(main())

import asyncio


def tell(task):
    print("done:", task.result())


async def add():
    return 1 + 1


async def main():
    t = asyncio.create_task(add())
    t.add_done_callback(tell)
    await asyncio.sleep(0.01)


asyncio.run(main())

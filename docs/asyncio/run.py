import asyncio


async def saver():
    try:
        await asyncio.sleep(100)
    finally:
        await asyncio.sleep(0.01)
        print("saved")


async def main():
    task = asyncio.create_task(saver())
    await asyncio.sleep(0.01)
    print("hello, saver is", "done" if task.done() else "still there")
    return 42


print(asyncio.run(main()))

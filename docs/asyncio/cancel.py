import asyncio


async def worker():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as e:
        print("cancelled:", e)
        raise
    finally:
        print("cleaned up")


async def main():
    t = asyncio.create_task(worker())
    await asyncio.sleep(0)
    t.cancel("enough")
    try:
        await t
    except asyncio.CancelledError:
        print("it was cancelled:", t.cancelled())


asyncio.run(main())

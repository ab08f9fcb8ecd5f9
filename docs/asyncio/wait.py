import asyncio


async def nap(seconds):
    await asyncio.sleep(seconds)
    return seconds


async def main():
    slow = asyncio.create_task(nap(60))
    quick = asyncio.create_task(nap(0.01))
    done, pending = await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
    print("quick is done:", quick in done, "- slow is done:", slow in done)
    for t in pending:
        t.cancel()


asyncio.run(main())

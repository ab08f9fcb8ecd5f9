import asyncio


async def stubborn():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        me = asyncio.current_task()
        print("asked", me.cancelling(), "time, left", me.uncancel())
    await asyncio.sleep(0.01)
    return "went on"


async def main():
    t = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    t.cancel()
    print(await t)
    print(t.cancelled(), t.done())


asyncio.run(main())

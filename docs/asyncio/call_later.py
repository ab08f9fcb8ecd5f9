import asyncio


async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, print, "second")
    loop.call_at(loop.time() + 0.01, print, "first")
    never = loop.call_later(0.015, print, "never")
    never.cancel()
    await asyncio.sleep(0.04)


asyncio.run(main())

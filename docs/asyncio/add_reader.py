import asyncio
import os


async def main():
    loop = asyncio.get_running_loop()
    r, w = os.pipe()
    ready = asyncio.Event()
    loop.add_reader(r, ready.set)
    loop.call_later(0.01, os.write, w, b"x")
    await ready.wait()
    loop.remove_reader(r)
    print("readable:", os.read(r, 10).decode())
    try:
        async with asyncio.timeout(0.01):
            ready.clear()
            loop.add_reader(r, ready.set)
            await ready.wait()
    except TimeoutError:
        print("nothing more")
    loop.remove_reader(r)


asyncio.run(main())

import asyncio
import threading


def outside(loop, event):
    loop.call_soon_threadsafe(print, "on the loop's thread")
    loop.call_soon_threadsafe(event.set)


async def main():
    event = asyncio.Event()
    thread = threading.Thread(target=outside, args=(asyncio.get_running_loop(), event))
    thread.start()
    await event.wait()
    thread.join()


asyncio.run(main())

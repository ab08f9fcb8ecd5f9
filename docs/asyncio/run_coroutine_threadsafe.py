import asyncio
import threading


async def double(n):
    await asyncio.sleep(0.01)
    return 2 * n


def outside(loop, out):
    out.append(asyncio.run_coroutine_threadsafe(double(21), loop).result())


async def main():
    out = []
    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=outside, args=(loop, out))
    thread.start()
    await asyncio.to_thread(thread.join)
    print(out[0])


asyncio.run(main())

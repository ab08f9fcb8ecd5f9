import asyncio
import os
import signal


async def main():
    loop = asyncio.get_running_loop()
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
    await got.wait()
    print("SIGUSR1")


asyncio.run(main())

import asyncio
import time


async def slow():
    time.sleep(0.15)
    print("nobody else ran meanwhile")


async def main():
    await asyncio.create_task(slow())


asyncio.run(main(), debug=True)

import asyncio


async def answer():
    await asyncio.sleep(60)


async def main():
    try:
        await asyncio.wait_for(answer(), 0.01)
    except TimeoutError:
        print("too slow")


asyncio.run(main())

import asyncio


async def main():
    try:
        async with asyncio.timeout(60) as scope:
            await asyncio.sleep(0.001)
            scope.reschedule(asyncio.get_running_loop().time() + 0.01)
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + 60):
                await asyncio.sleep(60)
            print("not reached")
    except TimeoutError:
        print("the outer scope expired:", scope.expired())


asyncio.run(main())

import asyncio

stock = 0


async def buyer(name, cond):
    global stock
    async with cond:
        await cond.wait_for(lambda: stock > 0)
        stock -= 1
        print(name, "takes one,", stock, "left")


async def main():
    global stock
    cond = asyncio.Condition()
    buyers = [asyncio.create_task(buyer(n, cond)) for n in "ab"]
    await asyncio.sleep(0.01)
    async with cond:
        stock = 2
        cond.notify_all()
    await asyncio.gather(*buyers)


asyncio.run(main())

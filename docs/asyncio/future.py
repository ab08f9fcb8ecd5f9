import asyncio


async def waiter(name, future):
    print(name, "has", await future)


async def main():
    future = asyncio.get_running_loop().create_future()
    tasks = [asyncio.create_task(waiter(n, future)) for n in ("a", "b")]
    await asyncio.sleep(0.01)
    print("done:", future.done())
    future.set_result(7)
    await asyncio.gather(*tasks)


asyncio.run(main())

import asyncio


async def runner(name, barrier):
    await asyncio.sleep(0.01 if name == "b" else 0)
    print(name, "is there")
    place = await barrier.wait()
    return place


async def main():
    barrier = asyncio.Barrier(3)
    places = await asyncio.gather(*(runner(n, barrier) for n in "abc"))
    print(sorted(places))


asyncio.run(main())

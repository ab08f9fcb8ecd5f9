import asyncio


async def nap():
    await asyncio.sleep(60)


async def main():
    for n in range(3):
        asyncio.create_task(nap(), name=f"nap-{n}")
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for t in sorted(others, key=asyncio.Task.get_name):
        print(t.get_name())
        t.cancel()


asyncio.run(main())

import asyncio


async def greet(name):
    me = asyncio.current_task().get_name()
    print(me, "starts")
    await asyncio.sleep(0.01)
    print(me, "greets", name)


async def main():
    a = asyncio.create_task(greet("Alice"), name="task-a")
    b = asyncio.create_task(greet("Bob"), name="task-b")
    print("both are made")
    await a
    await b


asyncio.run(main())

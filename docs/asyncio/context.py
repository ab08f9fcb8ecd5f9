import asyncio
from contextvars import ContextVar

user = ContextVar("user", default="nobody")


async def handler():
    print("inherited:", user.get())
    user.set("bob")
    print("changed:", user.get())


async def main():
    print(user.get())
    user.set("alice")
    await asyncio.create_task(handler())
    print("still:", user.get())


asyncio.run(main())

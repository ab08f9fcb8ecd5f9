import asyncio
import socket


async def main():
    loop = asyncio.get_running_loop()
    info = await loop.getaddrinfo("localhost", 80, family=socket.AF_INET, type=socket.SOCK_STREAM)
    print(info[0][4])


asyncio.run(main())

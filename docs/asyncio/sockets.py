import asyncio
import socket


async def main():
    loop = asyncio.get_running_loop()
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    reader = asyncio.create_task(loop.sock_recv(b, 100))
    await asyncio.sleep(0.01)
    await loop.sock_sendall(a, b"hello")
    print((await reader).decode())
    a.close()
    b.close()


asyncio.run(main())

import asyncio
import socket
import tempfile


async def main():
    loop = asyncio.get_running_loop()
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    with tempfile.TemporaryFile() as f:
        f.write(b"from the file")
        f.flush()
        print(await loop.sock_sendfile(a, f, offset=5), "bytes")
    print((await loop.sock_recv(b, 100)).decode())
    a.close()
    b.close()


asyncio.run(main())

import asyncio


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(b"you said " + line)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\nbye\n")
    writer.write_eof()
    print((await reader.readline()).decode(), end="")
    print((await reader.readuntil(b"y")).decode())
    print((await reader.readexactly(6)).decode())
    writer.close()
    server.close()


asyncio.run(main())

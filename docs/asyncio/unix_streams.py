import asyncio
import os
import tempfile


async def serve(reader, writer):
    writer.write((await reader.read(100)).upper())
    writer.close()


async def main():
    path = f"{tempfile.gettempdir()}/asyncio.{os.getpid()}"
    server = await asyncio.start_unix_server(serve, path)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"hello")
    print((await reader.read()).decode())
    writer.close()
    server.close()
    os.unlink(path)


asyncio.run(main())

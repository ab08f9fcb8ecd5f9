import asyncio
import os
import ssl

CERT = os.environ["CERTIFICATE"]


async def serve(reader, writer):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERT)
    await writer.start_tls(context)
    writer.write(b"in secret: " + await reader.readline())
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await writer.start_tls(ssl.create_default_context(cafile=CERT), server_hostname="localhost")
    writer.write(b"hello\n")
    print((await reader.readline()).decode(), end="")
    writer.close()
    server.close()


asyncio.run(main())

import asyncio
import os
import tempfile
from pathlib import Path


async def main():
    path = Path(tempfile.gettempdir(), f"asyncio.{os.getpid()}")
    await asyncio.to_thread(path.write_text, "two\nlines\n")
    print(await asyncio.to_thread(path.read_text), end="")
    print((await asyncio.to_thread(path.stat)).st_size, "bytes")
    await asyncio.to_thread(path.unlink)


asyncio.run(main())

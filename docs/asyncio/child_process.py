import asyncio
from asyncio.subprocess import PIPE


async def main():
    p = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=PIPE, stdout=PIPE)
    out, _ = await p.communicate(b"hello")
    print(out.decode(), p.returncode)

    p = await asyncio.create_subprocess_exec("sleep", "60")
    p.terminate()
    print(await p.wait())


asyncio.run(main())

import asyncio
import errno


async def half(n):
    if n % 2:
        raise OSError(errno.EDOM, "odd")
    return n // 2


async def main():
    out = await asyncio.gather(*(half(n) for n in (2, 3, 8)), return_exceptions=True)
    for r in out:
        print(errno.errorcode[r.errno] if isinstance(r, OSError) else r)


asyncio.run(main())

import asyncio
import errno


async def parse(text):
    if not text.isdigit():
        raise OSError(errno.EINVAL, "not a number")
    return int(text)


async def main():
    good = asyncio.create_task(parse("12"))
    bad = asyncio.create_task(parse("twelve"))
    print(await good)
    try:
        await bad
    except OSError as e:
        print("failed:", errno.errorcode[e.errno])


asyncio.run(main())

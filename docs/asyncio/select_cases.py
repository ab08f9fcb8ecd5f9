import asyncio


async def send(news, mail):
    await mail.put("a letter")
    await asyncio.sleep(0.01)
    await news.put("a headline")


async def main():
    news, mail = asyncio.Queue(), asyncio.Queue()
    sender = asyncio.create_task(send(news, mail))
    gets = {asyncio.create_task(news.get()): "news", asyncio.create_task(mail.get()): "mail"}
    while gets:
        done, _ = await asyncio.wait(gets, return_when=asyncio.FIRST_COMPLETED)
        for t in done:
            print(gets.pop(t), "-", t.result())
    await sender


asyncio.run(main())

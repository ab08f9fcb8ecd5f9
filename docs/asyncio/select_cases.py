import asyncio


async def send(queue, delay, text):
    await asyncio.sleep(delay)
    await queue.put(text)


async def main():
    news, mail = asyncio.Queue(), asyncio.Queue()
    senders = [asyncio.create_task(send(mail, 0.01, "a letter")),
               asyncio.create_task(send(news, 0.02, "a headline"))]
    gets = {asyncio.create_task(news.get()): "news", asyncio.create_task(mail.get()): "mail"}
    while gets:
        done, _ = await asyncio.wait(gets, return_when=asyncio.FIRST_COMPLETED)
        for t in done:
            print(gets.pop(t), "-", t.result())
    await asyncio.gather(*senders)


asyncio.run(main())

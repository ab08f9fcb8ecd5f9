#!/usr/bin/env python3
"""asyncio_sync.py - the cases of asyncio's own tests of Lock, Event, Condition, Semaphore, Barrier and Queue (CPython's
Lib/test/test_asyncio/test_locks.py and test_queues.py), each as a small program, run by this machine's asyncio and by our
runtime (tests/targets/, see TARGETS), and compared line by line: who goes on, in which order, at which turn of the loop.

A case is named as the test it is after.  What is not here: repr, `loop` arguments and context managers (no such things
in C).  DIFFERS says where we mean to be different; it is checked that both sides do what it says."""
import asyncio
import os
import subprocess
import sys

CASES = {}
# name: (asyncio, ours, why)
LATE = "a cancel that comes when the wait is over already is told at the next await: what was handed over is not lost"
DIFFERS = {
    "Queue.get_cancel_drop_one_pending_reader": ("size 2 cancelled again 1 size 1", "size 1 done got 1 size 1", LATE),
    "Queue.get_cancel_drop_many_pending_readers": ("1 cancelled 2 done got 1 3 done got 2", "1 done got 1 2 done got 2 3 pending", LATE),
    "Queue.put_cancel_drop": ("cancelled size 0 again 2", "done size 1 again 2", LATE),
    "Semaphore.acquire_no_hang": ("1 done 2 cancelled acquired", "1 done 2 done acquired", LATE),
    "Condition.notify_unacquired": ("RuntimeError", "0", "nothing can come between in a loop: notify needs no lock"),
}


def case(f):
    kind, name = f.__name__.split("_", 1)
    CASES[f"{kind}.{name}"] = f


async def tick(n=1):
    for _ in range(n):
        await asyncio.sleep(0)


def outcome(t):
    if not t.done():
        return "pending"
    return "cancelled" if t.cancelled() else "failed" if t.exception() else "done"


def spawn(coro):
    return asyncio.create_task(coro)


async def end(*tasks):
    for t in tasks:
        t.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Order:
    """Tags in the order of things; and an event for each, so that a task holds until it is told to go."""

    def __init__(self):
        self.text = ""
        self.go = [asyncio.Event() for _ in range(8)]

    def tag(self, i):
        self.text += str(i)

    def __str__(self):
        return "[" + self.text + "]"


async def holder(lock, order, i):
    await lock.acquire()
    order.tag(i)
    try:
        await order.go[i].wait()
    finally:
        lock.release()


# Lock

@case
async def Lock_acquire(say):
    lock, o = asyncio.Lock(), Order()
    await lock.acquire()
    t = [spawn(holder(lock, o, 1)), spawn(holder(lock, o, 2))]
    await tick()
    say(o)
    lock.release()
    await tick()
    say(o)
    await tick()
    say(o)
    t.append(spawn(holder(lock, o, 3)))
    for i in (1, 2, 3):
        o.go[i].set()
        await tick(2)
        say(o)
    await tick()
    say(*map(outcome, t), lock.locked())


@case
async def Lock_acquire_cancel(say):
    lock, o = asyncio.Lock(), Order()
    await lock.acquire()
    t = spawn(holder(lock, o, 1))
    await tick()
    t.cancel()
    await asyncio.wait([t])
    say(outcome(t), lock.locked())
    lock.release()
    say(lock.locked())


@case
async def Lock_cancel_race(say):
    lock, o = asyncio.Lock(), Order()
    a, b, c = (spawn(holder(lock, o, i)) for i in (1, 2, 3))
    await tick()
    o.go[3].set()
    o.go[1].set()
    b.cancel()
    await tick()
    say(o, outcome(a), outcome(b), outcome(c))
    await tick(3)
    say(o, outcome(c), lock.locked())


@case
async def Lock_cancel_release_race(say):
    lock, o = asyncio.Lock(), Order()
    await lock.acquire()
    t = [spawn(holder(lock, o, i)) for i in (1, 2, 3)]
    await tick()
    t[0].cancel()
    lock.release()
    await tick(2)
    say(o, *map(outcome, t))
    await end(*t)


@case
async def Lock_finished_waiter_cancelled(say):
    lock, o = asyncio.Lock(), Order()
    await lock.acquire()
    b = spawn(holder(lock, o, 1))
    await tick()
    c = spawn(holder(lock, o, 2))
    b.cancel()
    lock.release()
    await tick()
    say(lock.locked(), outcome(b))
    await tick()
    say(o, outcome(c))
    await end(c)


@case
async def Lock_release_not_acquired(say):
    try:
        asyncio.Lock().release()
        say("released")
    except RuntimeError:
        say("error")


@case
async def Lock_release_no_waiters(say):
    lock = asyncio.Lock()
    await lock.acquire()
    say(lock.locked())
    lock.release()
    say(lock.locked())


# Event

async def event_waiter(event, o, i):
    await event.wait()
    o.tag(i)


@case
async def Event_wait(say):
    event, o = asyncio.Event(), Order()
    t = [spawn(event_waiter(event, o, i)) for i in (1, 2)]
    await tick()
    say(o)
    t.append(spawn(event_waiter(event, o, 3)))
    event.set()
    await tick()
    say(o, event.is_set(), *map(outcome, t))


@case
async def Event_wait_on_set(say):
    event, o = asyncio.Event(), Order()
    event.set()
    await event_waiter(event, o, 1)
    say(o)


@case
async def Event_wait_cancel(say):
    event, o = asyncio.Event(), Order()
    t = spawn(event_waiter(event, o, 1))
    await tick()
    t.cancel()
    await tick()
    say(o, outcome(t))


@case
async def Event_clear(say):
    event = asyncio.Event()
    say(event.is_set())
    event.set()
    say(event.is_set())
    event.clear()
    say(event.is_set())


@case
async def Event_clear_with_waiters(say):
    event, o = asyncio.Event(), Order()
    t = [spawn(event_waiter(event, o, 1))]
    await tick()
    say(o)
    event.set()
    event.clear()
    t.append(spawn(event_waiter(event, o, 2)))
    await tick()
    say(o, event.is_set(), *map(outcome, t))
    await end(*t)


# Condition

async def cond_waiter(cond, o, i):
    async with cond:
        await cond.wait()
        o.tag(i)
        await o.go[i].wait()


@case
async def Condition_wait(say):
    cond, o = asyncio.Condition(), Order()
    t = [spawn(cond_waiter(cond, o, i)) for i in (1, 2, 3)]
    await tick(2)
    say(o, cond.locked())
    await cond.acquire()
    cond.notify()
    await tick()
    say(o, cond.locked())
    cond.release()
    await tick()
    say(o, cond.locked())
    o.go[1].set()
    cond.notify(2)  # task 1 has the lock
    await tick(2)
    say(o, cond.locked())
    o.go[2].set()
    await tick(2)
    say(o, cond.locked())
    o.go[3].set()
    await tick(2)
    say(o, cond.locked(), *map(outcome, t))


@case
async def Condition_wait_cancel(say):
    cond, o = asyncio.Condition(), Order()
    await cond.acquire()

    async def waits():
        await cond.acquire()
        try:
            await cond.wait()
        except asyncio.CancelledError:
            say("told", cond.locked())
            raise
        finally:
            cond.release()
    cond.release()
    t = spawn(waits())
    await tick()
    t.cancel()
    await tick()
    say(outcome(t), cond.locked())


@case
async def Condition_wait_cancel_after_notify(say):
    cond, o = asyncio.Condition(), Order()
    t = spawn(cond_waiter(cond, o, 1))
    await tick()
    await cond.acquire()
    cond.notify()
    await tick()  # it is to have the lock again
    t.cancel()
    await tick()
    say(outcome(t))
    cond.release()
    await tick(2)
    say(o, outcome(t), cond.locked())


@case
async def Condition_wait_cancel_contested(say):
    cond, o = asyncio.Condition(), Order()
    t = spawn(cond_waiter(cond, o, 1))
    await tick()
    await cond.acquire()
    t.cancel()
    await tick(3)
    say(outcome(t), cond.locked())
    cond.release()
    await tick(2)
    say(o, outcome(t), cond.locked())


@case
async def Condition_wait_unacquired(say):
    try:
        await asyncio.Condition().wait()
    except RuntimeError:
        say("error")


@case
async def Condition_wait_for(say):
    cond, o = asyncio.Condition(), Order()
    value = 0

    async def waits():
        async with cond:
            say(await cond.wait_for(lambda: value == 3))
            o.tag(1)
    t = spawn(waits())
    await tick()
    while value < 3:
        say(o)
        async with cond:
            value += 1
            cond.notify()
        await tick(2)
    say(o, outcome(t))


@case
async def Condition_wait_for_unacquired(say):
    cond = asyncio.Condition()
    say(await cond.wait_for(lambda: True))  # not a wait
    try:
        await cond.wait_for(lambda: False)
    except RuntimeError:
        say("error")


async def cond_tags(cond, o, i):
    async with cond:
        await cond.wait()
        o.tag(i)


@case
async def Condition_notify(say):
    cond, o = asyncio.Condition(), Order()
    t = [spawn(cond_tags(cond, o, i)) for i in (1, 2, 3)]
    await tick(3)
    say(o)
    for n in (1, 1, 2048):
        async with cond:
            cond.notify(n)
        await tick(3)
        say(o)
    say(*map(outcome, t))


@case
async def Condition_notify_all(say):
    cond, o = asyncio.Condition(), Order()
    t = [spawn(cond_tags(cond, o, i)) for i in (1, 2)]
    await tick(3)
    async with cond:
        cond.notify_all()
    await tick(3)
    say(o, *map(outcome, t))


@case
async def Condition_notify_unacquired(say):
    try:
        asyncio.Condition().notify()
        say("0")
    except RuntimeError as e:
        say(type(e).__name__)


@case
async def Condition_timeout_in_block(say):
    cond = asyncio.Condition()
    async with cond:
        try:
            await asyncio.wait_for(cond.wait(), 0.01)
        except asyncio.TimeoutError:
            say("timeout")
        say(cond.locked())


# Semaphore

async def sem_tag(sem, o, i):
    await sem.acquire()
    o.tag(i)


@case
async def Semaphore_initial_value_zero(say):
    sem = asyncio.Semaphore(0)
    say(sem.locked())


@case
async def Semaphore_semaphore_value(say):
    try:
        asyncio.Semaphore(-1)
    except ValueError:
        say("error")


@case
async def Semaphore_acquire(say):
    sem, o = asyncio.Semaphore(3), Order()
    await sem.acquire()
    await sem.acquire()
    say(sem.locked())
    t = [spawn(sem_tag(sem, o, i)) for i in (1, 2, 3)]
    await tick()
    say(sem.locked(), o)
    t.append(spawn(sem_tag(sem, o, 4)))
    sem.release()
    sem.release()
    await tick()
    say(o)
    sem.release()
    await tick(2)
    say(o, *map(outcome, t))


@case
async def Semaphore_acquire_cancel(say):
    sem, o = asyncio.Semaphore(), Order()
    await sem.acquire()
    t = spawn(sem_tag(sem, o, 1))
    await tick()
    t.cancel()
    await tick()
    say(o, outcome(t))
    sem.release()
    say(sem.locked())


@case
async def Semaphore_acquire_cancel_before_awoken(say):
    sem, o = asyncio.Semaphore(0), Order()
    t = [spawn(sem_tag(sem, o, i)) for i in (1, 2, 3, 4)]
    await tick()
    t[0].cancel()
    t[1].cancel()
    sem.release()
    await tick(2)
    say(o, *map(outcome, t))
    await end(t[3])


@case
async def Semaphore_acquire_hang(say):
    sem, o = asyncio.Semaphore(0), Order()
    t = [spawn(sem_tag(sem, o, i)) for i in (1, 2)]
    await tick()
    t[0].cancel()
    sem.release()
    await tick(2)
    say(o, sem.locked(), *map(outcome, t))


@case
async def Semaphore_acquire_no_hang(say):
    sem = asyncio.Semaphore(1)

    async def first():
        async with sem:
            await tick()
        t2.cancel()

    async def second():
        async with sem:
            pass
    t1, t2 = spawn(first()), spawn(second())
    await asyncio.gather(t1, t2, return_exceptions=True)
    say(1, outcome(t1), 2, outcome(t2))
    await asyncio.wait_for(sem.acquire(), 1)
    say("acquired")


@case
async def Semaphore_release_not_acquired(say):
    try:
        asyncio.BoundedSemaphore().release()
    except ValueError:
        say("error")


@case
async def Semaphore_release_no_waiters(say):
    sem = asyncio.Semaphore()
    await sem.acquire()
    say(sem.locked())
    sem.release()
    say(sem.locked())


async def sem_twice(sem, o, i):
    for _ in range(2):
        await sem.acquire()
        o.tag(i)
        await asyncio.sleep(0.005)
        sem.release()


@case
async def Semaphore_acquire_fifo_order(say):
    sem, o = asyncio.Semaphore(1), Order()
    await asyncio.gather(*(spawn(sem_twice(sem, o, i)) for i in (1, 2, 3)))
    say(o)


async def sem_again(sem, o):
    await sem.acquire()
    o.tag(2)
    sem.release()
    await sem.acquire()
    o.tag(4)


@case
async def Semaphore_acquire_fifo_order_2(say):
    sem, o = asyncio.Semaphore(1), Order()
    t = [spawn(sem_tag(sem, o, 1)), spawn(sem_again(sem, o)), spawn(sem_tag(sem, o, 3))]
    await tick()
    sem.release()
    sem.release()
    await asyncio.gather(*t)
    say(o)


@case
async def Semaphore_acquire_fifo_order_3(say):
    sem, o = asyncio.Semaphore(0), Order()
    t = [spawn(sem_tag(sem, o, i)) for i in (1, 2, 3)]
    await tick()
    t[0].cancel()
    sem.release()
    sem.release()
    await asyncio.gather(*t, return_exceptions=True)
    say(o)


# Barrier

async def party(barrier, o, i):
    try:
        index = await barrier.wait()
        o.text += f"{i}#{index} "
    except asyncio.BrokenBarrierError:
        o.text += f"{i}broken "


@case
async def Barrier_barrier_parties(say):
    try:
        asyncio.Barrier(0)
    except ValueError:
        say("error")


@case
async def Barrier_filling_one_task_twice(say):
    barrier, o = asyncio.Barrier(1), Order()
    for i in (1, 2):
        await party(barrier, o, i)
        say(o, barrier.n_waiting, barrier.broken)


@case
async def Barrier_filling_task_by_task(say):
    barrier, o = asyncio.Barrier(3), Order()
    t = []
    for i in (1, 2, 3):
        t.append(spawn(party(barrier, o, i)))
        await tick()
        say(barrier.n_waiting if i < 3 else "full")
    await asyncio.wait(t)
    say(o, barrier.n_waiting, barrier.broken)


@case
async def Barrier_filling_tasks_wait_twice(say):
    barrier, o = asyncio.Barrier(5), Order()

    async def twice(i):
        await barrier.wait()
        o.tag(1)
        await barrier.wait()
        o.tag(2)
    await asyncio.gather(*map(twice, range(5)))
    say(o, barrier.n_waiting, barrier.broken)


@case
async def Barrier_filling_tasks_check_return_value(say):
    barrier, indices = asyncio.Barrier(5), []

    async def twice():
        await barrier.wait()
        indices.append(await barrier.wait())
    await asyncio.gather(*(twice() for _ in range(5)))
    say(*sorted(indices))


@case
async def Barrier_blocking_tasks_while_draining(say):
    barrier, smaller, o = asyncio.Barrier(5), asyncio.Barrier(3), Order()
    again = 2

    async def f():
        nonlocal again
        await barrier.wait()
        if again:
            again -= 1
        else:
            await smaller.wait()
            o.tag(3)
        await barrier.wait()
        o.tag(5)
    await asyncio.gather(*(f() for _ in range(5)))
    say(o)


@case
async def Barrier_filling_tasks_cancel_one(say):
    barrier, o = asyncio.Barrier(3), Order()
    t1 = spawn(party(barrier, o, 1))
    t2 = spawn(party(barrier, o, 2))
    await tick()
    say(barrier.n_waiting)
    t1.cancel()
    await tick()
    say(barrier.n_waiting, outcome(t1))
    t3 = spawn(party(barrier, o, 3))
    await tick()
    say(barrier.n_waiting)
    t4 = spawn(party(barrier, o, 4))
    await asyncio.gather(t2, t3, t4)
    say(o.text.count("#"), barrier.n_waiting, barrier.broken)


@case
async def Barrier_reset_barrier(say):
    barrier = asyncio.Barrier(1)
    await barrier.reset()
    say(barrier.n_waiting, barrier.broken)


@case
async def Barrier_reset_barrier_while_tasks_waiting(say):
    barrier, o = asyncio.Barrier(5), Order()
    t = [spawn(party(barrier, o, i)) for i in (1, 2, 3, 4)]
    await tick()
    await barrier.reset()
    await asyncio.gather(*t)
    say(o, barrier.n_waiting, barrier.broken)


@case
async def Barrier_reset_barrier_while_tasks_waiting_and_waiting_again(say):
    barrier, o = asyncio.Barrier(3), Order()

    async def again(i):
        await party(barrier, o, i)
        await party(barrier, o, i)
    t = [spawn(again(1)), spawn(again(2))]
    await tick()
    await barrier.reset()
    await tick(4)
    t.append(spawn(party(barrier, o, 3)))
    await asyncio.gather(*t)
    say(o.text.count("broken"), o.text.count("#"), barrier.n_waiting, barrier.broken)


@case
async def Barrier_abort_barrier(say):
    barrier, o = asyncio.Barrier(5), Order()
    t = [spawn(party(barrier, o, i)) for i in (1, 2, 3)]
    await tick()
    await barrier.abort()
    await asyncio.gather(*t)
    await party(barrier, o, 4)
    say(o, barrier.n_waiting, barrier.broken)


@case
async def Barrier_abort_barrier_when_exception_then_resetting(say):
    barrier, o = asyncio.Barrier(2), Order()
    await barrier.abort()
    await party(barrier, o, 1)
    await barrier.reset()
    say(barrier.broken)
    t = [spawn(party(barrier, o, i)) for i in (2, 3)]
    await asyncio.gather(*t)
    say(o, barrier.broken)


# Queue

async def getter(q, o, i):
    o.text += f"{i}={await q.get()} "


async def putter(q, o, i, v):
    await q.put(v)
    o.tag(i)


@case
async def Queue_empty_full_order_maxsize(say):
    q = asyncio.Queue(2)
    say(q.empty(), q.full(), q.qsize())
    q.put_nowait(1)
    say(q.empty(), q.full(), q.qsize())
    q.put_nowait(2)
    say(q.empty(), q.full(), q.qsize())
    say(q.get_nowait(), q.get_nowait(), q.empty())


@case
async def Queue_nonblocking_get_exception(say):
    try:
        asyncio.Queue().get_nowait()
    except asyncio.QueueEmpty:
        say("empty")


@case
async def Queue_nonblocking_put_exception(say):
    q = asyncio.Queue(1)
    q.put_nowait(1)
    try:
        q.put_nowait(2)
    except asyncio.QueueFull:
        say("full")


@case
async def Queue_blocking_get_wait(say):
    q, o = asyncio.Queue(), Order()
    t = spawn(getter(q, o, 1))
    await tick()
    say(o)
    await asyncio.sleep(0.002)
    q.put_nowait(7)
    await t
    say(o)


@case
async def Queue_blocking_put_wait(say):
    q, o = asyncio.Queue(1), Order()
    await q.put(1)
    t = spawn(putter(q, o, 1, 2))
    await tick()
    say(o, q.get_nowait())
    await t
    say(o, q.get_nowait())


@case
async def Queue_get_cancelled_race(say):
    q, o = asyncio.Queue(), Order()
    t1, t2 = spawn(getter(q, o, 1)), spawn(getter(q, o, 2))
    await tick()
    t1.cancel()
    await tick()
    say(outcome(t1))
    await q.put(5)
    await tick()
    say(o, outcome(t2))


@case
async def Queue_get_with_waiting_putters(say):
    q, o = asyncio.Queue(1), Order()
    t = [spawn(putter(q, o, 1, 11)), spawn(putter(q, o, 2, 12))]
    say(await q.get(), await q.get())
    await asyncio.gather(*t)
    say(o)


@case
async def Queue_why_are_getters_waiting(say):
    q, got = asyncio.Queue(1), []

    async def producer():
        for i in range(5):
            await q.put(i)

    async def consumer():
        for _ in range(5):
            got.append(await q.get())
    await asyncio.gather(spawn(producer()), spawn(consumer()))
    say(*got)


@case
async def Queue_cancelled_getters_not_being_held_in_self_getters(say):
    q = asyncio.Queue(5)
    try:
        await asyncio.wait_for(q.get(), 0.005)
    except asyncio.TimeoutError:
        say("timeout")
    q.put_nowait(1)
    say(q.qsize())


@case
async def Queue_cancelled_puts_not_being_held_in_self_putters(say):
    q = asyncio.Queue(1)
    q.put_nowait(1)
    try:
        await asyncio.wait_for(q.put(2), 0.005)
    except asyncio.TimeoutError:
        say("timeout")
    say(q.get_nowait(), q.qsize())


@case
async def Queue_get_cancel_drop_one_pending_reader(say):
    q, o = asyncio.Queue(), Order()
    t = spawn(q.get())
    await tick()
    q.put_nowait(1)
    q.put_nowait(2)
    say("size", q.qsize())
    t.cancel()
    await asyncio.wait([t])
    say(outcome(t))
    if t.cancelled():
        say("again", await q.get())
    else:
        say("got", t.result())
    say("size", q.qsize())


@case
async def Queue_get_cancel_drop_many_pending_readers(say):
    q = asyncio.Queue()
    t = [spawn(q.get()) for _ in range(3)]
    await tick()
    q.put_nowait(1)
    q.put_nowait(2)
    t[0].cancel()
    await tick(3)
    for i in range(3):
        say(i + 1, outcome(t[i]))
        if outcome(t[i]) == "done":
            say("got", t[i].result())
    await end(*t)


@case
async def Queue_put_cancel_drop(say):
    q = asyncio.Queue(1)
    q.put_nowait(1)
    t = spawn(q.put(2))
    await tick()
    q.get_nowait()
    t.cancel()
    await asyncio.wait([t])
    say(outcome(t), "size", q.qsize())
    if t.cancelled():
        await q.put(2)
    say("again", q.get_nowait())


@case
async def Queue_put_cancelled(say):
    q, o = asyncio.Queue(1), Order()
    q.put_nowait(1)
    t = spawn(putter(q, o, 1, 2))
    await tick()
    t.cancel()
    await tick()
    say(outcome(t), q.get_nowait(), q.empty())


@case
async def Queue_put_cancelled_race(say):
    q, o = asyncio.Queue(1), Order()
    t = [spawn(putter(q, o, i, 10 + i)) for i in (1, 2, 3, 4)]
    await tick()
    say(outcome(t[0]), outcome(t[1]), outcome(t[2]), outcome(t[3]))
    t[2].cancel()
    await tick()
    say(q.get_nowait())
    await tick(2)
    say(q.get_nowait())
    await tick(2)
    say(q.get_nowait(), outcome(t[2]), q.empty())
    await asyncio.gather(t[1], t[3])


@case
async def Queue_put_with_waiting_getters(say):
    q, o = asyncio.Queue(), Order()
    t = spawn(getter(q, o, 1))
    await tick()
    await q.put(9)
    await t
    say(o)


@case
async def LifoQueue_order(say):
    q = asyncio.LifoQueue()
    for v in (1, 3, 2):
        q.put_nowait(v)
    say(q.get_nowait(), q.get_nowait(), q.get_nowait())


@case
async def PriorityQueue_order(say):
    q = asyncio.PriorityQueue()
    for v in (1, 3, 2):
        q.put_nowait(v)
    say(q.get_nowait(), q.get_nowait(), q.get_nowait())


@case
async def QueueJoin_task_done_underflow(say):
    try:
        asyncio.Queue().task_done()
    except ValueError:
        say("error")


@case
async def QueueJoin_task_done(say):
    q = asyncio.Queue()
    total = 0
    running = True

    async def worker():
        nonlocal total
        while running:
            total += await q.get()
            await tick()
            q.task_done()
    for i in range(100):
        q.put_nowait(i)
    t = [spawn(worker()) for _ in range(2)]
    await q.join()
    say(total)
    running = False
    q.put_nowait(0)
    q.put_nowait(0)
    await asyncio.gather(*t)
    await q.join()
    say(total)


@case
async def QueueJoin_join_empty_queue(say):
    q = asyncio.Queue()
    await q.join()
    await q.join()
    say("joined")


def word(x):
    return str(int(x)) if isinstance(x, bool) else str(x)


TARGETS = "asyncio_locks", "asyncio_barriers", "asyncio_queues"


def main():
    if sys.version_info < (3, 11):
        print("asyncio has Barrier since Python 3.11")
        sys.exit(77)
    build = os.environ.get("B", "build")
    ours = {}
    for target in TARGETS:
        run = subprocess.run([f"{build}/tests/targets/{target}"], capture_output=True, text=True, timeout=60)
        if run.returncode or run.stderr:
            sys.exit(f"{target}: exit status {run.returncode}, {run.stderr}")
        for line in run.stdout.splitlines():
            name, _, text = line.partition(":")
            ours[name] = text.strip()
    bad = 0
    for name, f in CASES.items():
        words = []
        asyncio.run(asyncio.wait_for(f(lambda *w: words.extend(map(word, w))), 10))
        python = " ".join(" ".join(words).split())
        mine = " ".join(ours.pop(name, "(missing)").split())
        want = DIFFERS.get(name, (python, python))
        good = (python, mine) == (want[0], want[1])
        bad += not good
        print(f"{'ok  ' if good else 'BAD '} {name}: {mine}" + ("" if python == mine else f"   asyncio: {python}"))
    if ours:
        sys.exit(f"left over: {ours}")
    print(f"{len(CASES)} cases, {len(DIFFERS)} of them meant to differ, {bad} bad")
    sys.exit(bad > 0)


main()

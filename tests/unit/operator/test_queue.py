"""The work queue on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from smarttrade.errors import SmartTradeError
from smarttrade_operator.queue import BACKOFF_LIMIT_S, Schedule, WorkQueue


def _schedule(**options: int) -> Schedule[str]:
    return Schedule(jitter=lambda: 1.0, **options)


def test_a_key_is_queued_once_however_often_it_is_added() -> None:
    schedule = _schedule()
    for _ in range(5):
        schedule.add("a", 0)
    assert schedule.take(0) == "a"
    assert schedule.take(0) is None


def test_the_earliest_wish_wins() -> None:
    schedule = _schedule()
    schedule.add("a", 0, 10)
    schedule.add("a", 0, 2)
    schedule.add("a", 0, 30)
    assert schedule.next_due() == 2
    assert schedule.take(1.9) is None
    assert schedule.take(2) == "a"
    assert schedule.next_due() is None


def test_keys_come_in_the_order_in_which_they_are_due() -> None:
    schedule = _schedule()
    schedule.add("late", 0, 3)
    schedule.add("soon", 0, 1)
    assert [schedule.take(5), schedule.take(5)] == ["soon", "late"]


def test_a_key_is_never_worked_on_twice_at_once_but_again_afterwards() -> None:
    schedule = _schedule()
    schedule.add("a", 0)
    assert schedule.take(0) == "a"
    schedule.add("a", 1)
    assert schedule.take(1) is None
    assert schedule.next_due() is None
    schedule.succeeded("a")
    assert schedule.take(1) == "a"


def test_failures_double_the_delay_up_to_a_limit_and_success_resets_it() -> None:
    schedule = _schedule()
    delays, now = [], 0.0
    for _ in range(12):
        schedule.add("a", now)
        assert schedule.take(now) == "a"
        delays.append(schedule.failed("a", now))
        now += delays[-1]
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == BACKOFF_LIMIT_S
    assert schedule.take(now) == "a"
    schedule.succeeded("a")
    schedule.add("a", now)
    schedule.take(now)
    assert schedule.failed("a", now) == 0.2


def test_jitter_halves_the_delay_at_most() -> None:
    schedule: Schedule[str] = Schedule(jitter=lambda: 0.0)
    schedule.add("a", 0)
    schedule.take(0)
    assert schedule.failed("a", 0) == 0.1


def test_one_failing_key_does_not_hold_up_the_others() -> None:
    schedule = _schedule()
    schedule.add("bad", 0)
    schedule.take(0)
    schedule.failed("bad", 0)
    schedule.add("good", 0)
    assert schedule.take(0) == "good"


def test_a_full_queue_refuses_and_counts() -> None:
    schedule = _schedule(capacity=2)
    assert [schedule.add(key, 0) for key in "abc"] == [True, True, False]
    assert schedule.add("a", 0)
    assert schedule.rejected == 1


def test_age_is_that_of_the_longest_waiting_key() -> None:
    schedule = _schedule()
    schedule.add("a", 0)
    schedule.add("b", 0, 100)
    assert schedule.age_s(7) == 7
    schedule.take(7)
    schedule.succeeded("a")
    assert schedule.age_s(7) == 0


def test_a_key_that_is_added_without_end_comes_at_its_rate_and_no_other_waits_for_it() -> None:
    schedule = _schedule(burst=5, rate_per_s=2)
    worked: list[tuple[str, float]] = []
    for step in range(1, 1001):
        now_s = step / 100
        schedule.add("noisy", now_s)
        if step == 500:
            schedule.add("quiet", now_s)
        while (key := schedule.take(now_s)) is not None:
            worked.append((key, now_s))
            schedule.succeeded(key)
    noisy = [at_s for key, at_s in worked if key == "noisy"]
    assert 5 + 18 <= len(noisy) <= 5 + 20
    assert [at_s for key, at_s in worked if key == "quiet"] == [5.0]


def test_ten_thousand_keys_are_worked_off() -> None:
    schedule = _schedule()
    for number in range(10_000):
        schedule.add(str(number), 0)
    taken = set()
    while (key := schedule.take(0)) is not None:
        taken.add(key)
        schedule.succeeded(key)
    assert len(taken) == 10_000


async def _run_until(queue: WorkQueue[str], done: asyncio.Event) -> None:
    running = asyncio.create_task(queue.run())
    try:
        await asyncio.wait_for(done.wait(), 10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_handler_is_retried_until_it_succeeds() -> None:
    calls, done = [], asyncio.Event()

    async def handle(key: str) -> float | None:
        calls.append(key)
        if len(calls) == 1:
            raise SmartTradeError("not yet")
        if len(calls) == 2:
            raise ValueError("a surprise")
        done.set()
        return None

    queue = WorkQueue(handle, 2)
    queue.add("a")
    await _run_until(queue, done)
    assert calls == ["a", "a", "a"]


async def test_no_more_than_the_limit_run_at_once() -> None:
    running, most, finished, done = 0, 0, 0, asyncio.Event()

    async def handle(_: str) -> float | None:
        nonlocal running, most, finished
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        finished += 1
        if finished == 20:
            done.set()
        return None

    queue = WorkQueue(handle, 3)
    for number in range(20):
        queue.add(str(number))
    await _run_until(queue, done)
    assert most == 3


async def test_a_handler_may_ask_to_be_called_again() -> None:
    calls, done = [], asyncio.Event()

    async def handle(key: str) -> float | None:
        calls.append(key)
        if len(calls) == 3:
            done.set()
            return None
        return 0.001

    queue = WorkQueue(handle, 1)
    queue.add("a")
    await _run_until(queue, done)
    assert calls == ["a"] * 3


async def test_cancelling_the_queue_ends_it() -> None:
    async def handle(_: str) -> float | None:
        await asyncio.Event().wait()
        return None

    queue = WorkQueue(handle, 1)
    queue.add("a")
    running = asyncio.create_task(queue.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_a_library_cancels_from_within_is_tried_again_by_the_same_worker() -> None:
    calls, done = 0, asyncio.Event()

    async def handle(_: str) -> float | None:
        nonlocal calls
        calls += 1
        if calls == 1:
            broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(broken.cancel)
            await broken
        done.set()
        return None

    queue = WorkQueue(handle, 1)
    queue.add("a")
    await _run_until(queue, done)
    assert calls == 2


async def test_cancelling_the_queue_waits_for_what_a_handler_tidies_up() -> None:
    begun, tidied = asyncio.Event(), False

    async def handle(_: str) -> float | None:
        nonlocal tidied
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied = True
        return None

    queue = WorkQueue(handle, 1)
    queue.add("a")
    running = asyncio.create_task(queue.run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tidied

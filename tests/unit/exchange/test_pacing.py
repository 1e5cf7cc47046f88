"""Room for cancels, whatever else is asked; and the exchange's own word on its limits."""

from __future__ import annotations

import pytest

from smarttrade.exchange.pacing import Allowance, TokenBucket, read_allowance


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def drained(clock: Clock) -> TokenBucket:
    """10 a second, bursts of 20, the last 5 for urgent ones; nothing is left for the others."""
    bucket = TokenBucket(10, 20, 5, clock)
    while not bucket.delay():
        pass
    return bucket


def test_orders_leave_room_that_only_urgent_requests_use(clock: Clock) -> None:
    bucket = drained(clock)
    assert bucket.delay() > 0
    assert [bucket.delay(urgent=True) for _ in range(5)] == [0.0] * 5
    assert bucket.delay(urgent=True) > 0


def test_tokens_come_back_at_the_rate(clock: Clock) -> None:
    bucket = drained(clock)
    clock.now += bucket.delay() + 0.001
    assert bucket.delay() == 0


def test_near_the_exchanges_own_limit_only_urgent_requests_leave_until_it_is_renewed(clock: Clock) -> None:
    bucket = TokenBucket(10, 20, 5, clock)
    bucket.heed(Allowance(used=0.95, renewed_in_s=12))
    assert bucket.delay() == pytest.approx(12)
    assert bucket.delay(urgent=True) == 0
    clock.now += 12
    assert bucket.delay() == 0


def test_below_it_nothing_changes(clock: Clock) -> None:
    bucket = TokenBucket(10, 20, 5, clock)
    bucket.heed(Allowance(used=0.5, renewed_in_s=30))
    assert bucket.delay() == 0


def test_nothing_is_asked_while_the_exchange_says_so(clock: Clock) -> None:
    bucket = TokenBucket(10, 20, 5, clock)
    bucket.heed(Allowance(silent_s=3))
    assert bucket.delay(urgent=True) == pytest.approx(3)
    clock.now += 3
    assert bucket.delay(urgent=True) == 0


def test_a_shorter_word_does_not_shorten_a_longer_one(clock: Clock) -> None:
    bucket = TokenBucket(10, 20, 5, clock)
    bucket.heed(Allowance(silent_s=30))
    bucket.heed(Allowance(silent_s=1))
    assert bucket.delay(urgent=True) == pytest.approx(30)


@pytest.mark.parametrize(
    ("headers", "used", "silent_s"),
    [
        ({"X-MBX-USED-WEIGHT-1M": "5400"}, 0.9, 0),
        ({"x-mbx-used-weight-1m": "60", "Retry-After": "7"}, 0.01, 7),
        ({}, 0, 0),
        ({"X-MBX-USED-WEIGHT-1M": "many", "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0, 0),
    ],
)
def test_headers_are_read_in_any_case_and_nonsense_limits_nothing(
    headers: dict[str, str], used: float, silent_s: float
) -> None:
    allowance = read_allowance(headers, "x-mbx-used-weight-1m", 6_000, now_s=lambda: 75.0)
    assert (allowance.used, allowance.silent_s) == (pytest.approx(used), silent_s)
    assert allowance.renewed_in_s == 45

"""Pods that lost an exchange in one moment do not come back in one."""

from __future__ import annotations

import asyncio
import random
from statistics import mean
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from smarttrade.errors import VenueError
from smarttrade.messages import Trade
from smarttrade.monitoring import market
from smarttrade.monitoring.backoff import Backoff
from smarttrade.monitoring.clock import ExchangeClock
from smarttrade.monitoring.market import MarketMonitor
from smarttrade.monitoring.metrics import Metrics

BOUNDS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


def pauses(seed: int) -> list[float]:
    backoff = Backoff(0.1, 10.0, random.Random(seed))
    return [backoff.pause_s() for _ in BOUNDS]


def test_a_pause_is_anything_up_to_a_bound_that_doubles_and_ends() -> None:
    drawn = list(zip(*(pauses(seed) for seed in range(400)), strict=True))
    for bound, each in zip(BOUNDS, drawn, strict=True):
        assert 0 <= min(each) < bound / 20
        assert bound * 0.95 < max(each) <= bound
        assert mean(each) == pytest.approx(bound / 2, rel=0.1)


def test_one_seed_gives_the_same_pauses_and_two_pods_others() -> None:
    assert pauses(7) == pauses(7)
    assert pauses(7) != pauses(8)
    assert Backoff(0.1, 10.0).pause_s() != Backoff(0.1, 10.0).pause_s()


def test_after_what_held_the_shortest_bound_counts_again() -> None:
    backoff = Backoff(0.1, 10.0, random.Random(1))
    for _ in range(9):
        backoff.pause_s()
    backoff.reset()
    assert backoff.pause_s() <= 0.1


class Recorder(Backoff):
    """Waits for nothing, and writes down what it was asked."""

    asked: list[str]

    def __init__(self, *_: Any) -> None:
        Recorder.asked = []

    def pause_s(self) -> float:
        self.asked.append("pause")
        return 0

    def reset(self) -> None:
        self.asked.append("reset")


async def test_a_feed_that_breaks_waits_each_time_and_begins_anew_after_a_stable_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(market, "Backoff", Recorder)
    lived_ms, now, enough = iter([0, 0, 60_000, 0]), [0.0], asyncio.Event()

    class Breaking(MarketMonitor):
        async def _connection(self) -> str:
            lived = next(lived_ms, None)
            if lived is None:
                enough.set()
                await asyncio.Event().wait()
            now[0] += lived or 0
            return "broken"

    async def copy(name: str, first: int, last: int) -> list[Trade]:
        raise VenueError("nobody")

    monkeypatch.setattr(market, "monotonic_ms", lambda: now[0])
    venue: Any = type("Venue", (), {"consecutive_trade_ids": True})()
    monitor = Breaking(
        venue,
        "BTC/USDT",
        ExchangeClock(),
        lambda event: None,
        Metrics(CollectorRegistry()),
        stale_ms=5_000,
        copy=copy,
    )
    running = asyncio.create_task(monitor.run())
    await asyncio.wait_for(enough.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert Recorder.asked == ["pause", "pause", "reset", "pause", "pause"]

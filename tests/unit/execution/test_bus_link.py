"""Whether the pod's other containers are heard."""

from __future__ import annotations

from typing import Any, cast

import pytest
from nats.aio.msg import Msg

from smarttrade import messages
from smarttrade.execution.bus_link import BusLink


class Clock:
    now_ms = 1_000.0

    def __call__(self) -> float:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def link(clock: Clock) -> BusLink:
    link = BusLink(cast(Any, None), "alice-0", lambda event: None, clock)
    assert link.silent() == ""
    return link


async def speak(link: BusLink, *events: messages.MarketEvent) -> None:
    batch = messages.MarketBatch(feed="test", seq=1, events=list(events))
    await link._market(Msg(_client=cast(Any, None), data=messages.encode(batch)))


def pulse() -> messages.StreamStatus:
    return messages.StreamStatus(market="", stream="evaluation", verdict=messages.Verdict.FRESH, since_ms=0)


async def test_a_container_that_never_spoke_is_silent_after_its_start(link: BusLink, clock: Clock) -> None:
    clock.now_ms += 20_000
    await speak(link)
    assert link.silent() == ""
    clock.now_ms += 10_001
    await speak(link)
    assert link.silent() == "evaluation"
    await speak(link, pulse())
    assert link.silent() == ""


async def test_one_that_spoke_before_is_silent_sooner(link: BusLink, clock: Clock) -> None:
    await speak(link, pulse())
    clock.now_ms += 5_001
    assert link.silent() == "monitoring"
    await speak(link)
    assert link.silent() == "evaluation"

"""Halted has cancelled every own order within a second, on virtual time: no machine is too busy for that."""

from __future__ import annotations

import pytest

from smarttrade.exchange.reports import VenueStatus
from tests.simulation.plan import build_plan, with_parts
from tests.simulation.safeguards import Safeguards
from tests.simulation.world import World

WITHIN_MS, ACTIVE_MS = 1_000, 900


@pytest.mark.parametrize("seed", range(20))
def test_every_own_order_is_cancelled_within_a_second_of_the_halt_whatever_is_in_flight(seed: int) -> None:
    """Halted again and again in the middle of trading; the exchange's own slowness is left out."""
    plan = with_parts(build_plan(seed), faults=(), changes=(), older=(), processing_ms=0)
    world, cancelled = World(plan, Safeguards()), 0
    world._schedule()
    world.clockwork.run(1_500)
    while world.clockwork.now_ms < 14_000:
        world._change("Halted", kill=False)
        halted_ms = world.clockwork.now_ms
        resting = [each for each in world.venue.by_id.values() if each.status is VenueStatus.OPEN]
        world.clockwork.run(halted_ms + WITHIN_MS)
        left = [each.sent.cid for each in world.venue.by_id.values() if each.status is VenueStatus.OPEN]
        assert left == [], f"halted at {halted_ms}"
        cancelled += sum(each.status is VenueStatus.CANCELED for each in resting)
        world._change("Active", kill=False)
        world.clockwork.run(world.clockwork.now_ms + ACTIVE_MS)
    assert cancelled > 0

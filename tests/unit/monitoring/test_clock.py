"""The exchange's time comes from its quickest answer and does not follow steps of the local clock."""

import pytest

from smarttrade.errors import VenueError
from smarttrade.exchange.exchange_time import ToldTime
from smarttrade.monitoring.clock import ExchangeClock


class Local:
    def __init__(self) -> None:
        self.monotonic = 1_000.0
        self.wall = 50_000.0


def test_before_an_answer_it_is_the_local_clock() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    assert clock.now_ms() == 50_000
    assert clock.error_ms == float("inf")
    with pytest.raises(VenueError, match="time is not known yet"):
        clock.surely_ms()


def test_the_shortest_round_trip_counts() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(1_000, ToldTime(90_500), 2_000)
    clock.sample(2_000, ToldTime(91_010), 2_020)
    assert clock.now_ms() == 90_000
    assert clock.error_ms == 10
    assert clock.wall_offset_ms == 40_000


def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(1_000, ToldTime(90_000), 1_000)
    local.wall += 3_600_000
    local.monotonic += 5
    assert clock.now_ms() == 90_005


def test_an_answer_that_contradicts_the_others_begins_anew() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(1_000, ToldTime(5_000), 1_000)
    clock.sample(1_000, ToldTime(7_000), 1_010)
    assert clock.now_ms() == 6_995


def test_a_candle_ends_by_the_least_that_the_time_can_be() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(980, ToldTime(90_000, resolution_ms=1_000), 1_000)
    assert (clock.surely_ms(), clock.now_ms(), clock.error_ms) == (90_000, 90_510, 510)

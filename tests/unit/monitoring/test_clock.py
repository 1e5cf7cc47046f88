"""The exchange's time comes from its quickest answer and does not follow steps of the local clock."""

import pytest

from smarttrade.errors import VenueError
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
        clock.measured_ms()


def test_the_shortest_round_trip_counts() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(1_000, 90_500, 2_000)
    clock.sample(2_000, 91_010, 2_020)
    assert clock.now_ms() == 90_000
    assert clock.error_ms == 10
    assert clock.wall_offset_ms == 40_000


def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(1_000, 90_000, 1_000)
    local.wall += 3_600_000
    local.monotonic += 5
    assert clock.now_ms() == 90_005


def test_old_answers_are_forgotten() -> None:
    local = Local()
    clock = ExchangeClock(lambda: local.monotonic, lambda: local.wall)
    clock.sample(1_000, 5_000, 1_000)
    for _ in range(5):
        clock.sample(1_000, 7_000, 1_010)
    assert clock.now_ms() == 6_995

"""A schedule follows from its seed, survives its file, and the full programme is as large as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import BINANCE_HOLD_MS, DECISIONS, FAULTS, full_programme
from tests.chaos.faults import Faults
from tests.chaos.schedule import build_schedule, read_schedule, write_schedule


@pytest.mark.parametrize("servers", [1, 3])
def test_a_seed_gives_the_same_schedule_every_time(servers: int) -> None:
    assert build_schedule(7, 50, servers=servers) == build_schedule(7, 50, servers=servers)
    assert build_schedule(7, 50, servers=servers) != build_schedule(8, 50, servers=servers)


def test_a_schedule_is_replayed_from_its_file(tmp_path: Path) -> None:
    schedule = build_schedule(7, 50, servers=3, hold_ms=10_000, decisions=200)
    write_schedule(schedule, tmp_path / "schedule.json")
    assert read_schedule(tmp_path / "schedule.json") == schedule


def test_the_full_programme_is_large_enough_and_has_binance_s_hold() -> None:
    programme = full_programme(1)
    assert sum(len(schedule.faults) for schedule in programme) > FAULTS
    assert sum(schedule.decisions for schedule in programme) >= DECISIONS
    assert {schedule.servers for schedule in programme} == {1, 3}
    assert any(s.hold_ms == BINANCE_HOLD_MS and len(s.faults) >= 50 for s in programme)


@pytest.mark.parametrize("servers", [1, 3])
def test_every_kind_that_is_drawn_can_be_struck(servers: int) -> None:
    known = Faults.kinds()
    kinds = {fault.kind for fault in build_schedule(1, 2_000, servers=servers).faults}
    assert not {kind for kind in kinds if not kind.startswith("exchange-")} - known

"""When credentials are renewed out of turn, and when the old ones are cut."""

from __future__ import annotations

from typing import Any

import pytest

from smarttrade.bus.rotation import ROTATE, Rotation
from smarttrade.errors import ConfigurationError
from smarttrade_operator.rotation import HOLD_S, hold_s, read_revoked, read_rotation
from smarttrade_operator.status import REVOKED

NOON = 1_796_040_000
AT_NOON = "2026-11-30T12:00:00Z"


def build_object(asked: str | None = None, revoked: str | None = None) -> dict[str, Any]:
    annotations = {} if asked is None else {ROTATE: asked}
    return {
        "metadata": {"annotations": annotations},
        "status": {} if revoked is None else {REVOKED: revoked},
    }


def test_a_time_in_the_annotation_asks_for_new_credentials_and_cuts_nothing_yet() -> None:
    rotation, due_s = read_rotation(build_object(AT_NOON), NOON + 1)
    assert rotation == Rotation(renewed_s=NOON)
    assert due_s is None
    assert read_rotation(build_object(), NOON) == (Rotation(), None)


@pytest.mark.parametrize("asked", [None, "2026-11-30T11:00:00Z"], ids=["taken back", "set back"])
def test_what_was_revoked_stays_so_whatever_becomes_of_the_annotation(asked: str | None) -> None:
    rotation, _ = read_rotation(build_object(asked, AT_NOON), NOON + 500)
    assert rotation == Rotation(renewed_s=NOON, revoked_s=NOON)
    assert rotation.is_cut


@pytest.mark.parametrize(
    "text", ["now", "", "2026-11-30", "2026-11-30T12:00:00", "2031-01-01T00:00:00Z", "9999-99-99", "é" * 900]
)
def test_what_is_no_time_up_to_now_is_refused_by_name_and_leaves_what_was_revoked(text: str) -> None:
    with pytest.raises(ConfigurationError, match=ROTATE):
        read_rotation(build_object(text, AT_NOON), NOON)
    assert read_revoked(build_object(text, AT_NOON)) == NOON


def test_a_request_from_a_clock_that_is_a_little_ahead_is_served_when_its_time_has_come() -> None:
    assert read_rotation(build_object(AT_NOON), NOON - 7) == (Rotation(), 7)


def test_old_credentials_are_held_until_the_pods_had_time_to_take_up_the_new_ones() -> None:
    asked = Rotation(renewed_s=NOON)
    assert hold_s(asked, NOON + 0.5, NOON + 10) == HOLD_S - 9.5
    late = NOON + 3600.0  # an operator that was away when it was asked
    assert hold_s(asked, late, late) == HOLD_S
    assert hold_s(Rotation(renewed_s=NOON, revoked_s=NOON), late, late) is None

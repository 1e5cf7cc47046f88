"""What a message of the trail is called where it is exported."""

from __future__ import annotations

import msgspec
import pytest

from smarttrade.audit.rows import to_rows
from smarttrade.bus.change_rows import ObjectChanged
from smarttrade.bus.trail import Entry
from smarttrade.errors import BusError


def _kinds(payload: bytes) -> list[str]:
    return [row["kind"] for row in to_rows(Entry(7, payload, 1_800_000_000_000, is_change=True))]


@pytest.mark.parametrize(("restates", "kind"), [(False, "changed"), (True, "restated")])
def test_an_object_that_is_only_told_again_is_not_called_a_change(restates: bool, kind: str) -> None:
    row = ObjectChanged(
        uid="3e1b",
        generation=2,
        previous_generation=2,
        resource_version="9",
        changes=(),
        object={},
        restates=restates,
    )
    assert _kinds(msgspec.json.encode(row)) == [kind]


@pytest.mark.parametrize("payload", [b"{", b"[]", b"7"])
def test_what_is_no_change_is_refused(payload: bytes) -> None:
    with pytest.raises(BusError, match="cannot be read"):
        _kinds(payload)

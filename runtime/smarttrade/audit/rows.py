"""A message of the trail as rows: one for each record of a batch of the log, or one change of the object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from smarttrade.bus.trail import Entry
from smarttrade.errors import BusError
from smarttrade.execution.audit_rows import build_rows

CHANGED = "changed"
RESTATED = "restated"
"""Nothing was changed: the object is told again before the row that told it is of age."""


def to_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    """In order; a change has no epoch, since the operator writes it."""
    if not entry.is_change:
        yield from build_rows(entry.sequence, entry.payload, entry.time_ms)
        return
    try:
        record = json.loads(entry.payload)
        restates = record.get("restates", False)
    except (ValueError, AttributeError, RecursionError) as error:
        raise BusError(f"the trail holds a change that cannot be read: {error}") from error
    yield {
        "sequence": entry.sequence,
        "index": 0,
        "time": datetime.fromtimestamp(entry.time_ms / 1000, UTC).isoformat(),
        "epoch": None,
        "kind": RESTATED if restates else CHANGED,
        "record": record,
    }

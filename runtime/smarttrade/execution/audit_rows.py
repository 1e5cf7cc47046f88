"""What a batch of the log says, as rows of the audit trail: plain values, without the bus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from smarttrade.execution.records import decode_batch

_encoder = msgspec.json.Encoder(decimal_format="string")


def build_rows(sequence: int, payload: bytes, time_ms: int) -> Iterator[dict[str, Any]]:
    """One row a record: where and when it was written, by which epoch, its kind and what it says."""
    batch = decode_batch(payload)
    for index, record in enumerate(batch.records):
        content = msgspec.json.decode(_encoder.encode(record))
        yield {
            "sequence": sequence,
            "index": index,
            "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(),
            "epoch": batch.epoch,
            "kind": content.pop("type"),
            "record": content,
        }

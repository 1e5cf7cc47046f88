"""The execution container as of version 1 of its log, on the code of today.

`python -m tests.component.execution.older_execution`: what version 1 does not know (fields, records, words of
the recorded vocabulary) it neither reads nor writes, and it does not know of protection, of a log restored
from the exchange, of lowering an order in place, or of a key for its client order ids.
"""

from __future__ import annotations

import smarttrade.process.lean  # noqa: F401 - before anything else

# isort: split
from pathlib import Path
from typing import Any

import msgspec

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.capabilities import Capability
from smarttrade.execution import core, leadership, records, service, setup, snapshot
from smarttrade.execution.context import Tuning
from smarttrade.process import run
from tests.unit.execution.former_ids import KeylessIds

VOCABULARY = msgspec.json.decode(
    (Path(__file__).parents[2] / "unit" / "execution" / "vocabulary-v1.json").read_bytes()
)


def _known(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch with the fields that version 1 has; records that it has not stay, to be refused."""
    fields = VOCABULARY["records"]
    kept = [
        {name: value for name, value in record.items() if name in (*fields[record["type"]], "type")}
        if record["type"] in fields
        else record
        for record in batch["records"]
    ]
    return {**batch, "records": kept}


def encode_batch(batch: records.Batch) -> bytes:
    """RuntimeError where the core writes what version 1 has no word for."""
    written: dict[str, Any] = msgspec.json.decode(records.encode_batch(batch))
    strange = {record["type"] for record in written["records"]} - VOCABULARY["records"].keys()
    if strange or batch.v > 1:
        raise RuntimeError(f"version 1 writes no {strange or batch.v}")
    return msgspec.json.encode(_known(written))


def decode_batch(payload: bytes) -> records.Batch:
    return records.decode_batch(msgspec.json.encode(_known(msgspec.json.decode(payload))))


def build_tuning(spec: TradingAccountSpec, row: Capability, replicas: int) -> Tuning:
    tuning = setup.build_tuning(spec, row, replicas)
    return msgspec.structs.replace(tuning, restores=False, amends=False, stop_orders=False)


def main() -> None:
    core.OrderIds = KeylessIds  # type: ignore[misc]
    records.RECORD_VERSION = snapshot.SNAPSHOT_VERSION = 1
    leadership.encode_batch, leadership.decode_batch = encode_batch, decode_batch
    service.build_tuning = build_tuning
    run.main("execution", service.ExecutionService)


if __name__ == "__main__":
    main()

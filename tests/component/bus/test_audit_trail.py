"""The audit trail of an account, read by a process of its own and written to a file."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from smarttrade.bus.change_rows import FieldChange, ObjectChanged
from smarttrade.bus.log import AccountLog
from smarttrade.cli.auditing import PAGE, check_target, read_pages, write_trail
from smarttrade.errors import ConfigurationError
from smarttrade.execution.records import Batch, DecisionClosed, EpochStarted, PeakReached, encode_batch
from smarttrade.messages import Outcome
from tests.component.bus.tenants import Tenants, eventually, trail_has

DENIAL = DecisionClosed(
    id="d1", market="BTC/USDT", outcome=Outcome.DENIED, code="DailyLoss", message="m", time_ms=2
)
DIFFERENCE = {
    "path": "spec.risk.maxDailyLoss",
    "old": "200",
    "new": "900",
    "by": [{"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-30T10:00:00Z"}],
}
CHANGE = ObjectChanged(
    uid="3e1b",
    generation=2,
    previous_generation=1,
    resource_version="2",
    changes=(msgspec.convert(DIFFERENCE, FieldChange),),
    object={"spec": {"risk": {"maxDailyLoss": "900"}}},
)
BATCHES = [
    Batch(epoch=1, records=(EpochStarted(epoch=1, holder="alice-0", time_ms=1),)),
    Batch(epoch=1, records=(DENIAL, PeakReached(pnl=Decimal("1.50"), time_ms=3))),
]


async def test_every_record_is_exported_in_order_as_lines_and_as_parquet(
    tenants: Tenants, tmp_path: Path
) -> None:
    pair = await tenants.create("alice")
    log, last = AccountLog(await tenants.connect(pair, "execution")), 0
    for number, batch in enumerate(BATCHES):
        last = await log.append(encode_batch(batch), after=last, message_id=f"b{number}")
    await eventually(trail_has(await tenants.keep_trail(pair), len(BATCHES)), "the trail has them")
    assert await log.purge(last) == 1
    async with tenants.provisioner.changes(pair.identity) as changes:
        await changes.append(CHANGE, after=None)
    (tmp_path / "execution.creds").write_text(pair.credentials["execution"])
    environment = os.environ | {
        "SMARTTRADE_NATS_URL": tenants.server.url,
        "SMARTTRADE_NATS_CREDENTIALS": str(tmp_path / "execution.creds"),
        "SMARTTRADE_POD": "alice-0",
        "SMARTTRADE_INSTALLATION": "tests",
        "SMARTTRADE_NAMESPACE": "alice",
        "SMARTTRADE_ACCOUNT": "alice",
    }

    def fetch(first: int, limit: int) -> str:
        command = [sys.executable, "-m", "smarttrade.audit", str(first), str(limit)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    rows = await asyncio.to_thread(lambda: list(read_pages(fetch)))
    assert [row["kind"] for row in rows] == ["epoch", "closed", "peak", "changed"]
    assert (rows[3]["epoch"], rows[3]["record"]["changes"]) == (None, [DIFFERENCE])
    assert (rows[1]["record"]["code"], rows[2]["record"]["pnl"]) == ("DailyLoss", "1.50")
    assert rows[1]["sequence"] == rows[2]["sequence"] == last

    assert write_trail(rows, tmp_path / "trail.jsonl") == 4
    lines = [json.loads(line) for line in (tmp_path / "trail.jsonl").read_text().splitlines()]
    assert lines == rows
    assert write_trail(rows, tmp_path / "trail.parquet") == 4
    table = pq.read_table(tmp_path / "trail.parquet").to_pylist()
    assert [json.loads(row["record"]) for row in table] == [row["record"] for row in rows]


def test_pages_join_without_a_gap_or_a_repetition() -> None:
    asked = []

    def fetch(first: int, limit: int) -> str:
        asked.append(first)
        rows = [{"sequence": number, "index": 0} for number in range(first, 2 * PAGE + 2)][:limit]
        return "\n".join(map(json.dumps, rows))

    assert [row["sequence"] for row in read_pages(fetch)] == list(range(1, 2 * PAGE + 2))
    assert asked == [1, PAGE + 1, 2 * PAGE + 1]


def test_a_trail_is_never_overwritten_and_has_a_known_form(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text("precious")
    for name in ("old.jsonl", "trail.csv"):
        with pytest.raises(ConfigurationError):
            check_target(tmp_path / name)

"""A short, fixed run of `python -m tests.chaos`: one fault of each family."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.run import run
from tests.chaos.schedule import ORDER, Fault, Schedule

FAULTS = (
    Fault(kind="stop-before-send", after_ms=0, for_ms=1_300),
    Fault(kind="exchange-unknown-executed", after_ms=0, for_ms=100, detail=ORDER),
    Fault(kind="kill-in-flight", after_ms=0, for_ms=100),
    Fault(kind="kill-server", after_ms=200, for_ms=300),
    Fault(kind="step-clock", after_ms=0, for_ms=100, amount=-1_200),
    Fault(kind="cut-bus", after_ms=0, for_ms=900, detail="silence"),
    Fault(kind="exchange-timeout-before", after_ms=0, for_ms=100, detail=ORDER),
    Fault(kind="lose-answer", after_ms=0),
    Fault(kind="kill-after-cancel", after_ms=0, for_ms=100),
)


async def test_decisions_are_executed_once_under_real_faults(
    nats_server_binary: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    schedule = Schedule(seed=1, decisions=30, faults=FAULTS)
    result = await run(schedule, nats_server_binary, tmp_path / "run", said.append)
    assert not result.violation, "\n".join([result.violation, *said])
    assert result.struck >= len(FAULTS) - 1, said
    assert result.decisions >= 30
    seen = result.coverage
    assert seen["rest"] == 5, seen
    assert (
        min(seen["protected position"], seen["protective order"], seen["leader's word on protection"]) >= 5
    ), seen

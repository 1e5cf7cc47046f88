"""One run: trading under the schedule's faults, then rest, then the judgement.

Faults come one after the other, each healed before the next; an exchange's may still wait for its request
while the next strikes. After each, a decision must be accepted within PROGRESS_S: that nothing is lost
and nothing doubled would also hold of a system that stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from smarttrade.messages import Decision, Target
from tests.chaos.evidence import Rest
from tests.chaos.faults import Faults
from tests.chaos.judge import judge
from tests.chaos.market import quote_at
from tests.chaos.protection import judge_rest
from tests.chaos.recorder import MissedError
from tests.chaos.schedule import Fault, Schedule, write_schedule
from tests.chaos.shown import replay
from tests.chaos.stage import NAMES, Stage
from tests.chaos.trading import NONE, Guard, Trading
from tests.component.execution.theatre import eventually
from tests.simulation.checks import ViolationError
from tests.simulation.plan import MARKETS

START_S = 120.0
PROGRESS_S = 90.0
REST_S = 120.0
HEARD_S = 2.0
"""Until every pod has heard the price at which the market stands still: many beats of it."""
# What is wanted at rest, one after the other: hundredths of PRICE, and stop, profit and trailing distance.
_RESTS: tuple[tuple[tuple[int, Guard], tuple[int, Guard]], ...] = (
    ((0, NONE), (0, NONE)),
    ((300, (3, 4, 0)), (200, (0, 0, 4))),
    ((100, (0, 0, 4)), (0, (3, 0, 0))),
    ((100, NONE), (200, (0, 3, 0))),
    ((200, (3, 0, 0)), (300, (3, 4, 0))),
)
_CRASH = "failed unexpectedly"

Say = Callable[[str], None]


@dataclass
class Result:
    """What one run was made of."""

    decisions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    coverage: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    fills: int = 0
    epochs: int = 0
    seconds: float = 0.0
    violation: str = ""
    evidence: str = ""

    @property
    def struck(self) -> int:
        return sum(self.faults.values())


async def run(schedule: Schedule, binary: Path, directory: Path, say: Say) -> Result:
    """Run a schedule; what it leaves behind stays in `directory` when an invariant does not hold."""
    result, started = Result(), time.monotonic()
    _prepare(schedule, directory)
    stage = Stage(schedule, binary, directory)
    try:
        await _play(schedule, stage, result, say)
    except Exception as error:  # noqa: BLE001 - whatever ends a run is a finding; the next one is another
        result.violation = f"{type(error).__name__}: {error}"
        result.evidence = str(directory)
        (directory / "failure.txt").write_text(traceback.format_exc())
    else:
        shutil.rmtree(directory, ignore_errors=True)
    result.seconds = time.monotonic() - started
    return result


def _prepare(schedule: Schedule, directory: Path) -> None:
    directory.mkdir(parents=True)
    write_schedule(schedule, directory / "schedule.json")


async def _play(schedule: Schedule, stage: Stage, result: Result, say: Say) -> None:
    async with stage:
        await stage.control()
        for name in NAMES:
            await stage.start(name)
        await eventually(stage.leading, "somebody leads", START_S)
        trading = Trading(stage)
        kubelet = asyncio.create_task(_keep_running(stage))
        trading.start()
        try:
            await _strike_all(schedule, stage, trading, result, say)
            await trading.stop()
            await _come_to_rest(stage, trading)
        finally:
            trading.over = True
            kubelet.cancel()
            await _stop_pods(stage)
            await stage.recorder.catch_up()
            stage.evidence.write(stage.directory)
        _judge(stage, result)


async def _strike_all(schedule: Schedule, stage: Stage, trading: Trading, result: Result, say: Say) -> None:
    faults = Faults(stage, schedule.seed)
    for number, fault in enumerate(schedule.faults, 1):
        await asyncio.sleep(fault.after_ms / 1000)
        struck = await faults.strike(fault)
        say(f"{number:4d} {_describe(fault)} {_state(stage)}")
        result.faults[fault.kind] += struck
        await _progress(stage, fault)
    while len(stage.recorder.accepted) < schedule.decisions:  # noqa: ASYNC110 - the log does not tell
        await asyncio.sleep(0.2)
    result.faults.update(faults.armed_and_struck())


async def _progress(stage: Stage, fault: Fault) -> None:
    """Somebody accepts decisions again."""
    before, until = len(stage.recorder.accepted), time.monotonic() + PROGRESS_S
    while len(stage.recorder.accepted) == before:
        if time.monotonic() > until:
            raise ViolationError("progress after faults end", f"none after {fault}")
        await asyncio.sleep(0.02)


async def _keep_running(stage: Stage) -> None:
    """Start again what ended by itself, as the kubelet would."""
    while True:
        await asyncio.sleep(0.2)
        for name in NAMES:
            if not stage.alive(name) and name not in stage.expected_down:
                stage.restarts += 1
                await stage.start(name)


async def _come_to_rest(stage: Stage, trading: Trading) -> None:
    """No more faults, and a market that stands still: what is wanted there is reached, again and again."""
    stage.exchange.faults.clear()
    stage.settle()
    # A bid from before, higher than the market is, would pull a trailing stop above it, and no limit of its
    # own that the market has fallen through is sold at.
    await asyncio.sleep(HEARD_S)
    for wanted in _RESTS:
        last = await trading.say(dict(zip(MARKETS, wanted, strict=True)))
        until = time.monotonic() + REST_S
        while trouble := _trouble(stage, last):
            if time.monotonic() > until:
                raise ViolationError("everything comes to rest after the faults", trouble)
            await stage.recorder.catch_up()
            await asyncio.sleep(0.05)


def _trouble(stage: Stage, last: dict[str, Decision]) -> str:
    """What is not as it was decided; where all is, that moment is noted for the judge."""
    evidence, recorder = stage.evidence, stage.recorder
    rest = Rest(logged=len(evidence.log), happened=len(evidence.journal), last=last)
    still_open = set(recorder.accepted) - set(recorder.closed)
    missing = {decision.id for decision in last.values()} - set(recorder.closed)
    if still_open or missing:
        return f"open: {sorted(still_open | missing)}"
    unknown = [each.entry for each in evidence.journal if each.entry.client_order_id not in recorder.intents]
    if unknown:
        return f"not in the log: {unknown}"
    shown = replay((each.entry for each in evidence.journal), recorder.intents)
    resting = {each.sent.cid for each in shown.by_id.values() if each.remaining}
    unsettled = {order.cid for order in recorder.book.unsettled() if order.resting}
    if resting != unsettled or len(unsettled) != len(recorder.book.unsettled()):
        return f"resting {sorted(resting)}, unsettled {recorder.book.unsettled()}"
    try:
        for market, decision in last.items():
            judge_rest(market, cast(Target, decision.want), shown, quote_at(market).bid)
    except ViolationError as error:
        return str(error)
    evidence.rests.append(rest)
    return ""


async def _stop_pods(stage: Stage) -> None:
    for name in NAMES:
        if name in stage.pods:
            with contextlib.suppress(ProcessLookupError):
                await stage.pods[name].kill()


def _judge(stage: Stage, result: Result) -> None:
    recorder, journal = stage.recorder, stage.exchange.journal
    result.decisions, result.epochs = len(recorder.accepted), recorder.epochs
    result.orders, result.fills = len(journal.orders("alice")), len(journal.fills("alice"))
    if recorder.missed:
        raise MissedError(f"the log was compacted before it was recorded: {recorder.missed}")
    crashed = [name for name in NAMES if name in stage.pods and _CRASH in stage.pods[name].output]
    if crashed:
        raise ViolationError("no container fails unexpectedly", ", ".join(crashed))
    result.coverage = judge(stage.evidence)


def _describe(fault: Fault) -> str:
    parts = [fault.kind, fault.detail, f"{fault.for_ms} ms" if fault.for_ms else ""]
    return " ".join(part for part in parts if part)


def _state(stage: Stage) -> str:
    recorder = stage.recorder
    return f"[{len(recorder.accepted)} decisions, epoch {recorder.epochs}, leader {stage.leading() or '-'}]"

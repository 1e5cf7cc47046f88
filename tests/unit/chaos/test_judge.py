"""The judge of chaos runs: an honest run passes, and each kind of lie in log or journal is found."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import records
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.messages import Side
from tests.chaos.evidence import Logged
from tests.simulation.checks import ViolationError
from tests.simulation.plan import MARKETS
from tests.unit.chaos.doctored import (
    NOW,
    WINDOW,
    Run,
    build_decision,
    build_entry,
    build_intent,
    build_move,
    build_outcome,
)


def sent_twice(run: Run) -> None:
    run.happen(*(msgspec.structs.replace(each.entry, order_id=77) for each in run.evidence.journal[:2]))


def sent_without_intent(run: Run) -> None:
    run.happen(build_entry(9, MARKETS[0], "cid9"))


def sent_before_its_intent_was_durable(run: Run) -> None:
    """By a moment: both are there when the run is over."""
    log, journal = run.evidence.log, run.evidence.journal
    first = next(n for n, each in enumerate(log) if isinstance(each.batch.records[-1], records.OrderIntended))
    log[first] = Logged(log[first].batch, journal[0].at_ms + 0.5)


def accepted_late(run: Run) -> None:
    run.change(0, time_ms=NOW + WINDOW + 1)


def other_quantity(run: Run) -> None:
    run.change(0, quantity="3")


def fill_not_in_log(run: Run) -> None:
    log = run.evidence.log
    log[:] = [each for each in log if not isinstance(each.batch.records[0], records.FillRecorded)]


def fill_in_log_twice(run: Run) -> None:
    run.log(*run.evidence.log[2].batch.records)


def answered_and_lost(run: Run) -> None:
    run.evidence.answered.add("never logged")


def left_open(run: Run) -> None:
    later = msgspec.structs.replace(build_decision(1, MARKETS[0]), id="d9", event_ordinal=9)
    run.log(records.DecisionAccepted(decision=later, time_ms=NOW))


def two_outcomes(run: Run) -> None:
    run.log(build_outcome(run.evidence.decisions["d1"]))


def executed_beyond_its_target(run: Run) -> None:
    run.log(msgspec.structs.replace(build_intent(1, MARKETS[0], "d1"), cid="cid7", attempt=2))
    new, filled = (
        msgspec.structs.replace(each.entry, order_id=7, client_order_id="cid7")
        for each in run.evidence.journal[:2]
    )
    run.happen(new, msgspec.structs.replace(filled, trade_id=7))


def made_larger(run: Run) -> None:
    run.log(msgspec.structs.replace(build_intent(7, MARKETS[0], "d1"), cid="cid7"))
    new = build_entry(7, MARKETS[0], "cid7")
    run.happen(new, msgspec.structs.replace(new, kind="REPLACED", quantity="3"))


def open_and_smaller_than_logged(run: Run) -> None:
    """An open order of which the log does not know that it was amended."""
    intent = msgspec.structs.replace(
        build_intent(7, MARKETS[0], "d1"),
        side=Side.SELL,
        kind=OrderKind.LIMIT,
        price=Decimal(110),
        purpose=Purpose.RESTING,
    )
    run.log(intent, build_move("cid7", 7, OrderState.NEW))
    new = msgspec.structs.replace(build_entry(7, MARKETS[0], "cid7"), side="SELL", price="110")
    run.happen(new, msgspec.structs.replace(new, kind="REPLACED", quantity="1"))


def stale_writer(run: Run) -> None:
    log = run.evidence.log
    log.insert(1, Logged(records.Batch(epoch=0, records=()), log[0].at_ms))


def sent_after_all_was_done(run: Run) -> None:
    """What came after the log was read for the last time: neither it nor its intent is missed."""
    run.rest()
    run.log(build_intent(9, MARKETS[0], "d1"))
    run.happen(build_entry(9, MARKETS[0], "cid9"))


def test_an_honest_run_passes() -> None:
    Run().judge()


@pytest.mark.parametrize(
    ("lie", "invariant"),
    [
        (sent_twice, "a client order id is sent once"),
        (sent_without_intent, "an order leaves after its intent is durable"),
        (sent_before_its_intent_was_durable, "an order leaves after its intent is durable"),
        (accepted_late, "no order is accepted after its deadline"),
        (other_quantity, "an order is placed as it was intended"),
        (fill_not_in_log, "log and exchange agree"),
        (fill_in_log_twice, "a trade is recorded once"),
        (answered_and_lost, "what was answered Accepted is in the log"),
        (left_open, "every decision ends in one outcome"),
        (two_outcomes, "every decision ends in one outcome"),
        (made_larger, "an order is only ever made smaller"),
        (open_and_smaller_than_logged, "open orders are as large as in the log"),
        (executed_beyond_its_target, "a position is never beyond its target"),
        (stale_writer, "one leader writes"),
        (sent_after_all_was_done, "nothing is sent at rest"),
    ],
)
def test_a_lie_is_found(lie: Callable[[Run], None], invariant: str) -> None:
    run = Run()
    lie(run)
    with pytest.raises(ViolationError, match=invariant):
        run.judge()

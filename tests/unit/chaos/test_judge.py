"""The judge of chaos runs: an honest run passes, and each kind of lie in log or journal is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import records
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.messages import Decision, Fill, Outcome, Side, Target
from smarttrade.simulator.journal import JournalEntry
from tests.chaos.judge import judge
from tests.simulation.checks import ViolationError
from tests.simulation.plan import MARKETS

NOW, WINDOW = 1_795_000_000_000, 800


@dataclass
class Run:
    """A run in which each market's one decision became one order that was filled."""

    batches: list[records.Batch] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    decisions: dict[str, Decision] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        opening = records.LedgerOpened(currency="USDT", allocation=Decimal(5000), positions=(), time_ms=NOW)
        self.log(records.EpochStarted(epoch=1, holder="a", time_ms=NOW), opening)
        for number, market in enumerate(MARKETS, 1):
            self._trade(number, market)

    def log(self, *new: Any) -> None:
        self.batches.append(records.Batch(epoch=1, records=new))

    def _trade(self, number: int, market: str) -> None:
        decision = build_decision(number, market)
        self.decisions[decision.id] = decision
        self.answered.add(decision.id)
        intent = build_intent(number, market, decision.id)
        self.log(records.DecisionAccepted(decision=decision, time_ms=NOW), intent)
        new = build_entry(number, market, intent.cid)
        filled = msgspec.structs.replace(
            new, kind="TRADE", status="FILLED", trade_id=number, last_price="100", last_quantity="2"
        )
        self.journal += [new, filled]
        self.log(records.FillRecorded(fill=build_fill(number, market, decision.id), fee_value=Decimal(0)))
        self.log(
            records.OrderMoved(
                cid=intent.cid, state=OrderState.FILLED, order_id=str(number), filled=Decimal(2), time_ms=NOW
            ),
            build_outcome(decision),
        )

    def judge(self) -> None:
        judge(self.batches, self.journal, self.decisions, self.answered)


def build_decision(number: int, market: str) -> Decision:
    return Decision(
        id=f"d{number}",
        strategy="chaos",
        market=market,
        event_key=f"1m:{number}",
        event_time_ms=NOW,
        event_ordinal=number,
        index=0,
        generation=1,
        want=Target(quantity=Decimal(2), valid_until_ms=NOW + 60_000),
    )


def build_intent(number: int, market: str, decision: str) -> records.OrderIntended:
    return records.OrderIntended(
        cid=f"cid{number}",
        market=market,
        side=Side.BUY,
        kind=OrderKind.LIMIT_IOC,
        price=Decimal(100),
        quantity=Decimal(2),
        purpose=Purpose.TARGET,
        decision_id=decision,
        leg=1,
        attempt=1,
        deadline_ms=NOW,
        window_ms=WINDOW,
        epoch=1,
    )


def build_entry(number: int, market: str, cid: str) -> JournalEntry:
    return JournalEntry(
        sequence=number,
        time_ms=NOW + 10,
        user="alice",
        kind="NEW",
        symbol=market,
        order_id=number,
        client_order_id=cid,
        side="BUY",
        type="LIMIT",
        time_in_force="IOC",
        status="NEW",
        quantity="2",
        price="100",
        filled="0",
        created_ms=NOW + 10,
    )


def build_fill(number: int, market: str, decision: str) -> Fill:
    return Fill(
        market=market,
        trade_id=str(number),
        order_id=str(number),
        client_order_id=f"cid{number}",
        decision_id=decision,
        side=Side.BUY,
        price=Decimal(100),
        quantity=Decimal(2),
        fee=Decimal(0),
        fee_asset="USDT",
        maker=False,
        time_ms=NOW + 10,
    )


def build_outcome(decision: Decision) -> records.DecisionClosed:
    return records.DecisionClosed(
        id=decision.id, market=decision.market, outcome=Outcome.REACHED, code="", message="", time_ms=NOW
    )


def sent_twice(run: Run) -> None:
    run.journal += [msgspec.structs.replace(entry, order_id=77) for entry in run.journal[:2]]


def sent_without_intent(run: Run) -> None:
    run.journal.append(build_entry(9, MARKETS[0], "cid9"))


def accepted_late(run: Run) -> None:
    run.journal[0] = msgspec.structs.replace(run.journal[0], time_ms=NOW + WINDOW + 1)


def other_quantity(run: Run) -> None:
    run.journal[0] = msgspec.structs.replace(run.journal[0], quantity="3")


def fill_not_in_log(run: Run) -> None:
    run.batches = [b for b in run.batches if not isinstance(b.records[0], records.FillRecorded)]


def fill_in_log_twice(run: Run) -> None:
    run.batches.append(run.batches[2])


def answered_and_lost(run: Run) -> None:
    run.answered.add("never logged")


def left_open(run: Run) -> None:
    later = msgspec.structs.replace(build_decision(1, MARKETS[0]), id="d9", event_ordinal=9)
    run.log(records.DecisionAccepted(decision=later, time_ms=NOW))


def two_outcomes(run: Run) -> None:
    run.log(build_outcome(run.decisions["d1"]))


def executed_beyond_its_target(run: Run) -> None:
    run.log(msgspec.structs.replace(build_intent(1, MARKETS[0], "d1"), cid="cid7", attempt=2))
    again = [msgspec.structs.replace(e, order_id=7, client_order_id="cid7") for e in run.journal[:2]]
    run.journal += [again[0], msgspec.structs.replace(again[1], trade_id=7)]


def amend(run: Run, quantity: str) -> None:
    """The first order was amended to this before it filled."""
    run.journal.insert(1, msgspec.structs.replace(run.journal[0], kind="REPLACED", quantity=quantity))


def made_larger(run: Run) -> None:
    amend(run, "3")


def open_and_smaller_than_logged(run: Run) -> None:
    """An open order of which the log does not know that it was amended."""
    intent = msgspec.structs.replace(
        build_intent(7, MARKETS[0], ""),
        side=Side.SELL,
        kind=OrderKind.LIMIT,
        price=Decimal(110),
        purpose=Purpose.PROTECTIVE,
    )
    moved = records.OrderMoved(cid="cid7", state=OrderState.NEW, order_id="7", filled=Decimal(0), time_ms=NOW)
    run.log(intent, moved)
    new = msgspec.structs.replace(build_entry(7, MARKETS[0], "cid7"), side="SELL", price="110")
    run.journal += [new, msgspec.structs.replace(new, kind="REPLACED", quantity="1")]


def stale_writer(run: Run) -> None:
    run.batches.insert(1, records.Batch(epoch=0, records=()))


def test_an_honest_run_passes() -> None:
    Run().judge()


@pytest.mark.parametrize(
    ("lie", "invariant"),
    [
        (sent_twice, "a client order id is sent once"),
        (sent_without_intent, "an order leaves after its intent is durable"),
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
    ],
)
def test_a_lie_is_found(lie: Callable[[Run], None], invariant: str) -> None:
    run = Run()
    lie(run)
    with pytest.raises(ViolationError, match=invariant):
        run.judge()

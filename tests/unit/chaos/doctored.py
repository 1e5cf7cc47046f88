"""Runs for the judge of chaos runs: honest ones, to be doctored by a test."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import records
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.messages import Decision, Fill, Outcome, Side, Target
from smarttrade.simulator.journal import JournalEntry
from tests.chaos.evidence import Evidence, Happened, Logged, Rest
from tests.chaos.judge import judge
from tests.simulation.plan import MARKETS

NOW, WINDOW = 1_795_000_000_000, 800


class Run:
    """Each market's one decision became one order that was filled. A millisecond lies between two events."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.now_ms = float(NOW)
        opening = records.LedgerOpened(currency="USDT", allocation=Decimal(5000), positions=(), time_ms=NOW)
        self.log(records.EpochStarted(epoch=1, holder="a", time_ms=NOW), opening)
        for number, market in enumerate(MARKETS, 1):
            self.trade(build_decision(number, market), number)

    def log(self, *new: Any) -> None:
        self.now_ms += 1
        self.evidence.log.append(Logged(records.Batch(epoch=1, records=new), self.now_ms))

    def happen(self, *entries: JournalEntry) -> None:
        for entry in entries:
            self.now_ms += 1
            self.evidence.journal.append(Happened(entry, self.now_ms))

    def change(self, number: int, **fields: Any) -> None:
        """Doctor a line of the journal."""
        told = self.evidence.journal[number]
        entry = msgspec.structs.replace(told.entry, **fields)
        self.evidence.journal[number] = Happened(entry, told.at_ms)

    def trade(self, decision: Decision, number: int) -> None:
        """Buy two."""
        self.evidence.decisions[decision.id] = decision
        self.evidence.answered.add(decision.id)
        intent = build_intent(number, decision.market, decision.id)
        self.log(records.DecisionAccepted(decision=decision, time_ms=NOW), intent)
        self.fill(number, build_entry(number, decision.market, intent.cid), decision.id)
        self.log(build_move(intent.cid, number, OrderState.FILLED), build_outcome(decision))

    def fill(self, number: int, new: JournalEntry, decision: str) -> None:
        """An order is placed and filled at once, and the fill recorded."""
        self.happen(new, build_trade(new, number))
        fill = build_fill(number, new.symbol, decision)
        side = Side.BUY if new.side == "BUY" else Side.SELL
        fill = msgspec.structs.replace(fill, side=side, client_order_id=new.client_order_id)
        self.log(records.FillRecorded(fill=fill, fee_value=Decimal(0)))

    def rest(self) -> None:
        """All is as decided last."""
        last = {decision.market: decision for decision in self.evidence.decisions.values()}
        counts = {"logged": len(self.evidence.log), "happened": len(self.evidence.journal)}
        self.evidence.rests.append(Rest(**counts, last=last))

    def judge(self) -> dict[str, int]:
        """Of a run that is at rest in the end, if it was not before."""
        if not self.evidence.rests:
            self.rest()
        return judge(self.evidence)


def build_decision(number: int, market: str, quantity: int = 2, **guard: Any) -> Decision:
    return Decision(
        id=f"d{number}",
        strategy="chaos",
        market=market,
        event_key=f"1m:{number}",
        event_time_ms=NOW,
        event_ordinal=number,
        index=0,
        generation=1,
        want=Target(quantity=Decimal(quantity), valid_until_ms=NOW + 60_000, **guard),
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


def build_move(cid: str, number: int, state: OrderState) -> records.OrderMoved:
    filled = Decimal(2) if state is OrderState.FILLED else Decimal(0)
    return records.OrderMoved(cid=cid, state=state, order_id=str(number), filled=filled, time_ms=NOW)


def build_entry(number: int, market: str, cid: str) -> JournalEntry:
    return JournalEntry(
        sequence=number,
        time_ms=NOW + number,
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
        created_ms=NOW + number,
    )


def build_trade(new: JournalEntry, number: int) -> JournalEntry:
    """All of an order."""
    return msgspec.structs.replace(
        new, kind="TRADE", status="FILLED", trade_id=number, last_price=new.price, last_quantity=new.quantity
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

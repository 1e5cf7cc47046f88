"""A leader that is lost at any point between the cancel of a stop and what is protected after the sale.

A small exchange that locks what is offered takes what the core asks for, one request at a time. At each
request in turn the leader is lost: before the request has left, or after it took effect and before anybody
saw the answer. Whoever follows has the log and the exchange, and must come to the same end.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind, OrderReport, TradeReport, VenueStatus
from smarttrade.execution import effects as fx
from tests.unit.execution.desk import BALANCES, BTC, ETH, Desk, build_filters, build_spec

REQUESTS = (fx.Send, fx.SendPair, fx.Cancel, fx.Query, fx.FetchTrades, fx.ReadAccount, fx.ReadHistory)
STOP = {"stop_loss": Decimal(95)}
PAIR = {**STOP, "take_profit": Decimal(110)}
HELD = Decimal(1)


class Exchange:
    """Holds one BTC for the account; every sell locks what it may sell, a pair locks it once."""

    def __init__(self) -> None:
        self.held = HELD
        self.reports: dict[str, OrderReport] = {}
        self.groups: dict[str, str] = {}
        self.trades: list[TradeReport] = []

    def open_orders(self) -> list[OrderReport]:
        return [report for report in self.reports.values() if report.status is VenueStatus.OPEN]

    def locked(self) -> Decimal:
        by_group = {self.groups[o.client_order_id]: o.quantity - o.filled for o in self.open_orders()}
        return sum(by_group.values(), Decimal(0))

    def perform(self, desk: Desk, effect: fx.Effect) -> list[fx.Input]:
        """Let one request take effect; what the answer tells."""
        match effect:
            case fx.Send():
                return [fx.SendSucceeded(cid=effect.cid, report=self._place(desk, effect, effect.cid))]
            case fx.SendPair():
                return [
                    fx.SendSucceeded(cid=leg.cid, report=self._place(desk, leg, effect.group))
                    for leg in effect.legs
                ]
            case fx.Cancel():
                return [self._cancel(effect.cid)]
            case fx.Query():
                report = self.reports.get(effect.cid)
                return [fx.QueryAnswered(cid=effect.cid, report=report, asked_ms=desk.now_ms)]
            case fx.FetchTrades():
                return [fx.TradesSeen(trades=tuple(self.trades))]
            case fx.ReadAccount():
                open_, trades = tuple(self.open_orders()), tuple(self.trades)
                return [fx.AccountRead(orders=open_, trades=trades, balances=BALANCES, asked_ms=desk.now_ms)]
            case fx.ReadHistory():
                orders, trades = tuple(self.reports.values()), tuple(self.trades)
                return [fx.HistoryRead(orders=orders, trades=trades, asked_ms=desk.now_ms)]
        return []

    def _place(self, desk: Desk, send: fx.Send, group: str) -> OrderReport:
        assert send.cid not in self.reports, "a client order id came twice"
        others = sum(
            (o.quantity for o in self.open_orders() if self.groups[o.client_order_id] != group), Decimal(0)
        )
        assert send.quantity <= self.held - others, "more was offered than is held"
        immediate = send.kind is OrderKind.LIMIT_IOC
        trades = (self._fill(desk, send),) if immediate else ()
        self.groups[send.cid] = group
        self.reports[send.cid] = OrderReport(
            client_order_id=send.cid,
            order_id=f"o-{send.cid}",
            market=send.market,
            side=send.side,
            status=VenueStatus.FILLED if immediate else VenueStatus.OPEN,
            price=send.price,
            quantity=send.quantity,
            filled=send.quantity if immediate else Decimal(0),
            time_ms=desk.exchange_ms(),
            trades=trades,
            trigger=send.trigger,
        )
        return self.reports[send.cid]

    def _fill(self, desk: Desk, send: fx.Send) -> TradeReport:
        self.held -= send.quantity
        self.trades.append(
            TradeReport(
                trade_id=f"sold-{len(self.trades)}",
                order_id=f"o-{send.cid}",
                market=send.market,
                side=send.side,
                price=send.price,
                quantity=send.quantity,
                fee=Decimal(0),
                fee_asset="USDT",
                maker=False,
                time_ms=desk.exchange_ms(),
            )
        )
        return self.trades[-1]

    def _cancel(self, cid: str) -> fx.Input:
        """One leg of a pair takes the other along."""
        found = self.reports.get(cid)
        if found is None or found.status is not VenueStatus.OPEN:
            return fx.CancelFailed(cid=cid, gone=True, reason="unknown order")
        for report in self.open_orders():
            if self.groups[report.client_order_id] == self.groups[cid]:
                ended = msgspec.structs.replace(report, status=VenueStatus.CANCELED)
                self.reports[report.client_order_id] = ended
        return fx.OrderSeen(report=self.reports[cid])


class Stage:
    """The leader of the moment in front of the exchange; `lose_at` is the point at which it is lost."""

    def __init__(self, lose_at: int) -> None:
        self.exchange = Exchange()
        self.desk = Desk().lead()
        self.points = 0
        self.lost = False
        self._lose_at = lose_at

    def settle(self, ms: int) -> None:
        """Let requests take effect one by one for a while."""
        end = self.desk.now_ms + ms
        while self.desk.now_ms < end:
            requests = [effect for effect in self.desk.outbox if isinstance(effect, REQUESTS)]
            self.desk.outbox = [e for e in self.desk.outbox if not isinstance(e, REQUESTS)]
            for request in requests:
                if not self._perform(request):
                    break
            self.desk.advance(200, step_ms=200)

    def _perform(self, request: fx.Effect) -> bool:
        """Whether the leader is still there."""
        counts = not isinstance(request, fx.ReadAccount | fx.ReadHistory)
        if counts and self._is_lost():
            return False
        answers = self.exchange.perform(self.desk, request)
        if counts and self._is_lost():
            return False
        for answer in answers:
            self.desk.feed(answer)
        return True

    def _is_lost(self) -> bool:
        self.points += 1
        if self.points != self._lose_at:
            return False
        self.lost = True
        self.desk = self._follow()
        return True

    def _follow(self) -> Desk:
        """Another pod takes the lead a second later, with the log and what the exchange tells."""
        desk = Desk("b", log=self.desk.log)
        desk.now_ms = self.desk.now_ms + 1_000
        desk.replay()
        desk.feed(fx.ControlRead(generation=1, spec=build_spec()))
        desk.feed(fx.FiltersRead(filters=(build_filters(BTC), build_filters(ETH))))
        desk.quote(BTC, "100", "100.02")
        desk.quote(ETH, "10", "10.02")
        told_ms = desk.exchange_ms()
        desk.feed(fx.ClockSampled(sent_ms=desk.now_ms - 1, received_ms=desk.now_ms + 1, exchange_ms=told_ms))
        desk.feed(fx.LeaseGained(until_ms=desk.now_ms + 700))
        desk.reconcile(*self.exchange.open_orders(), trades=tuple(self.exchange.trades))
        return desk


def sell(lose_at: int, plan: dict[str, Decimal], target: str) -> Stage:
    """One BTC is held and protected; then less is wanted."""
    stage = Stage(0)
    stage.desk.decide("1", **plan)
    [entry] = stage.desk.sends()
    stage.desk.fill(entry.cid)
    stage.settle(2_000)
    assert stage.exchange.locked() == HELD
    stage.points, stage._lose_at = 0, lose_at
    stage.desk._event = 10
    stage.desk.decide(target, **plan)
    stage.settle(30_000)
    return stage


def assert_ended(stage: Stage, target: str) -> None:
    """Sold once, the rest protected once, and the log says what the exchange does."""
    left = Decimal(target)
    assert stage.exchange.held == left
    assert stage.desk.position() == left
    assert stage.exchange.locked() == left
    assert stage.desk.core.ctx.unprotected == {}
    known = {order.cid for order in stage.desk.core.ctx.book.unsettled()}
    assert known == {order.client_order_id for order in stage.exchange.open_orders()}


@pytest.mark.parametrize("target", ["0", "0.4"], ids=["all", "a part"])
@pytest.mark.parametrize("plan", [STOP, PAIR], ids=["stop", "pair"])
def test_a_leader_lost_at_any_point_of_an_exit_leaves_nothing_doubled_and_nothing_bare(
    plan: dict[str, Decimal], target: str
) -> None:
    undisturbed = sell(0, plan, target)
    assert_ended(undisturbed, target)
    assert undisturbed.points >= 4
    for point in range(1, undisturbed.points + 1):
        stage = sell(point, plan, target)
        assert stage.lost, point
        assert_ended(stage, target)

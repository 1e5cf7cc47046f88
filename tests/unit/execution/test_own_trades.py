"""Where the account would trade with itself, it makes way; where it does all the same, both sides count."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import OrderReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.book import Book
from smarttrade.execution.orders import Order
from smarttrade.execution.records import FillRecorded, decode_batch, encode_batch
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import Fill, OrderStyle, Side
from tests.unit.execution.desk import BTC, Desk
from tests.unit.execution.test_protection import accept, buy, cancelled, guards

PROFIT = {"take_profit": Decimal("102")}


@pytest.fixture
def desk() -> Desk:
    """A position of 1 whose profit waits at 102."""
    desk = Desk().lead()
    buy(desk, **PROFIT)
    accept(desk)
    return desk


def report_of(desk: Desk, order: Order, trade_id: str, quantity: str) -> OrderReport:
    """What the exchange tells of an order that has traded whole in one trade, whose id is given."""
    told = desk.report(order.cid, VenueStatus.FILLED, quantity)
    trades = tuple(msgspec.structs.replace(trade, trade_id=trade_id) for trade in told.trades)
    return msgspec.structs.replace(told, trades=trades)


def crossed(desk: Desk) -> None:
    """A buy of 1 has met the profit of 1, and the exchange gave both sides trade 895."""
    [profit] = guards(desk)
    desk.decide("2")
    [sent] = desk.sends()
    desk.feed(fx.SendSucceeded(cid=sent.cid, report=report_of(desk, desk.order(sent.cid), "895", "1")))
    desk.feed(fx.OrderSeen(report=report_of(desk, desk.order(profit), "895", "1")))


def folded(desk: Desk) -> Book:
    book = Book()
    for _, batch in desk.log:
        for record in decode_batch(encode_batch(batch)).records:
            book.apply(record)
    return book


def test_both_sides_of_a_trade_with_itself_count_and_nothing_is_held_back(desk: Desk) -> None:
    crossed(desk)
    assert desk.position() == 1
    assert not list(desk.core.ctx.book.differing())
    assert [fill.side for fill in desk.published(Fill)] == [Side.BUY, Side.BUY, Side.SELL]
    assert desk.reconciled()[0]


def test_neither_side_counts_again_however_often_it_is_told(desk: Desk) -> None:
    crossed(desk)
    sides = {(r.fill.side, r.fill.client_order_id) for r in desk.records() if isinstance(r, FillRecorded)}
    before = len(desk.records())
    trades = tuple(
        msgspec.structs.replace(desk.trade(desk.order(cid), Decimal(1)), trade_id="895")
        for side, cid in sides
        if desk.order(cid).filled and desk.core.ctx.book.ledger.knows(BTC, "895", side)
    )
    desk.feed(fx.TradesSeen(trades=trades))
    desk.reconcile(trades=trades)
    assert [r for r in desk.records()[before:] if isinstance(r, FillRecorded)] == []
    assert desk.position() == 1


def test_the_next_leader_and_the_one_after_a_snapshot_know_both_sides(desk: Desk) -> None:
    crossed(desk)
    book = folded(desk)
    assert book.ledger.state() == desk.core.ctx.book.ledger.state()
    stored = encode_snapshot(book.snapshot(1))
    restored = Book.restore(decode_snapshot(stored))
    for each in (book, restored):
        assert each.ledger.quantity(BTC) == 1
        assert all(each.ledger.knows(BTC, "895", side) for side in Side)


def test_an_older_version_stands_aside_for_the_second_side_and_only_for_that(desk: Desk) -> None:
    assert max(batch.v for _, batch in desk.log) < 4
    crossed(desk)
    second = [batch for _, batch in desk.log if batch.v == 4]
    assert [r.fill.side for b in second for r in b.records if isinstance(r, FillRecorded)] == [Side.SELL]
    assert desk.core.ctx.book.snapshot(1).v < 4


def test_a_buy_stays_below_the_price_at_which_its_own_profit_waits(desk: Desk) -> None:
    """The collar would let it go up to 102.01."""
    desk.quote(BTC, "100", "100.02")
    desk.decide("2", take_profit=Decimal("101.5"))
    [sent] = desk.sends()
    assert sent.price == Decimal("101.49")


def test_a_buy_stays_below_the_profit_that_rests(desk: Desk) -> None:
    desk.quote(BTC, "101.5", "101.52")
    desk.decide("2")
    [sent] = desk.sends()
    assert sent.price == Decimal("101.99")


def test_a_profit_that_is_the_best_offer_goes_before_the_buy_and_the_next_plan_protects(desk: Desk) -> None:
    [profit] = guards(desk)
    desk.quote(BTC, "101.9", "102")
    desk.decide("2", take_profit=Decimal(110))
    assert desk.sends() == []
    assert desk.core.ctx.unprotected[BTC].reason == "MakingWay"
    assert cancelled(desk) == [profit]
    [sent] = desk.sends()
    assert sent.price > 102
    desk.fill(sent.cid, price="102")
    [after] = desk.sends()
    assert (after.price, after.quantity, after.side) == (Decimal(110), 2, Side.SELL)


def test_a_profit_that_has_filled_instead_of_going_ends_the_decision(desk: Desk) -> None:
    [profit] = guards(desk)
    desk.quote(BTC, "101.9", "102")
    decision = desk.decide("2", take_profit=Decimal(110))
    desk.take(fx.Cancel)
    desk.feed(fx.OrderSeen(report=desk.report(profit, VenueStatus.FILLED, "1", "102")))
    assert desk.sends() == []
    assert desk.outcomes()[decision][1] == "ProtectionFilled"


def test_a_passive_buy_waits_below_and_takes_no_protection_away(desk: Desk) -> None:
    desk.quote(BTC, "101.9", "102")
    desk.decide("2", style=OrderStyle.PASSIVE, take_profit=Decimal(110))
    assert desk.take(fx.Cancel) == []
    [sent] = desk.sends()
    assert sent.price == Decimal("101.9")


def test_a_buy_with_a_limit_below_its_own_profit_takes_no_protection_away(desk: Desk) -> None:
    desk.quote(BTC, "101.9", "102")
    desk.decide("2", limit=Decimal("101.95"), take_profit=Decimal(110))
    assert desk.take(fx.Cancel) == []
    [sent] = desk.sends()
    assert sent.price == Decimal("101.95")


def test_a_stop_that_waits_below_the_market_stands_in_no_buys_way() -> None:
    desk = Desk().lead()
    buy(desk, stop_loss=Decimal(95))
    accept(desk)
    desk.decide("2", stop_loss=Decimal(95))
    assert desk.take(fx.Cancel) == []
    assert len(desk.sends()) == 1

"""An account that trades for years: what a new leader reads stays bounded, and no trade counts twice."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind, OrderReport, TradeReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.book import Book
from smarttrade.execution.context import Tuning
from smarttrade.execution.ledger import KEPT_TRADES
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.execution.records import AnyRecord, FillRecorded, OrderIntended, OrderMoved
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import Fill, Outcome, Side
from tests.unit.execution.desk import BTC, EPOCH_MS, ETH, Desk

LARGEST = 600_000
PARTS, STEP = 10, Decimal("0.001")


def life(fills: int) -> Iterator[AnyRecord]:
    """Orders of ten fills each, bought and sold in turn; one that rests for good fills now and then."""
    yield intent("rests", Side.BUY, OrderKind.LIMIT)
    for number in range(fills // PARTS):
        cid, side = f"sT{number:016d}", Side.SELL if number % 2 else Side.BUY
        yield intent(cid, side, OrderKind.LIMIT_IOC)
        for part in range(PARTS):
            yield fill(cid, side, number * PARTS + part)
        if number % 500 == 0:
            yield moved("rests", OrderState.PARTIALLY_FILLED)
            yield fill("rests", Side.BUY, fills + number)
        yield moved(cid, OrderState.FILLED, STEP * PARTS)


def intent(cid: str, side: Side, kind: OrderKind) -> OrderIntended:
    return OrderIntended(
        cid=cid,
        market=BTC,
        side=side,
        kind=kind,
        price=Decimal("60000.01"),
        quantity=STEP * PARTS if kind is OrderKind.LIMIT_IOC else Decimal(10),
        purpose=Purpose.TARGET,
        decision_id="0123456789abcdef0123456789abcdef",
        leg=1,
        attempt=1,
        deadline_ms=EPOCH_MS,
        window_ms=800,
        epoch=1,
    )


def moved(cid: str, state: OrderState, filled: Decimal = Decimal(0)) -> OrderMoved:
    return OrderMoved(cid=cid, state=state, order_id=f"x-{cid}", filled=filled, time_ms=EPOCH_MS)


def fill(cid: str, side: Side, number: int) -> FillRecorded:
    return FillRecorded(
        fill=Fill(
            market=BTC,
            trade_id=f"{number:012d}",
            order_id=f"x-{cid}",
            client_order_id=cid,
            decision_id="0123456789abcdef0123456789abcdef",
            side=side,
            price=Decimal("60000.01"),
            quantity=STEP,
            fee=Decimal("0.0601234567"),
            fee_asset="USDT",
            maker=False,
            time_ms=EPOCH_MS + number,
        ),
        fee_value=Decimal("0.0601234567"),
    )


def size_of(book: Book) -> int:
    return len(encode_snapshot(book.snapshot(1, "id")))


def lived(fills: int) -> tuple[Book, list[int]]:
    """The book of such a life, and the sizes that its snapshots had on the way."""
    book, sizes = Book(), []
    for count, record in enumerate(life(fills)):
        book.apply(record)
        if count % 25_000 == 24_999:
            sizes.append(size_of(book))
    return book, sizes


@pytest.fixture(scope="module")
def old() -> Book:
    return lived(30_000)[0]


def test_a_snapshot_stays_as_large_as_it_is_however_long_the_account_lives() -> None:
    book, sizes = lived(60_000)
    assert book.fills == 60_000 + 12
    assert max(sizes) < LARGEST
    assert sizes[-1] - sizes[0] < sizes[0] / 5


def test_a_snapshot_that_has_forgotten_trades_is_not_for_a_version_that_would_find_them_strange(
    old: Book,
) -> None:
    assert Book().snapshot(1).v == 1
    assert old.snapshot(1).v == 3


def test_a_late_duplicate_counts_once_and_is_not_strange_however_old_it_is(old: Book) -> None:
    desk = Desk(tuning=Tuning(replicas=2)).lead()
    desk.core.ctx.book = Book.restore(decode_snapshot(encode_snapshot(old.snapshot(1))))
    desk.core.ctx.book.opened = True
    position, fills = desk.position(), old.fills
    kept = [record for record in life(30_000) if isinstance(record, FillRecorded)]
    late = [report(record) for record in (*kept[:50], *kept[-KEPT_TRADES - 500 :: 100])]
    desk.take(fx.ReadHistory)
    desk.reconcile(resting(), trades=tuple(late))
    assert desk.core.ctx.book.fills == fills
    assert desk.position() == position
    assert desk.take(fx.ReadHistory) == []
    assert not list(desk.core.ctx.book.differing())


def test_an_old_order_that_filled_more_than_the_ledger_has_keeps_the_account_from_buying(old: Book) -> None:
    desk = Desk(tuning=Tuning(replicas=2)).lead()
    desk.core.ctx.book = Book.restore(decode_snapshot(encode_snapshot(old.snapshot(1))))
    desk.core.ctx.book.opened = True
    oldest = next(order for order in desk.core.ctx.book.orders.values() if order.settled)
    first = int(oldest.cid[2:]) * PARTS
    trades = tuple(report(fill(oldest.cid, oldest.side, number)) for number in range(first, first + PARTS))
    desk.reconcile(resting(), trades=trades)
    assert desk.reconciled() == (True, "InAgreement")
    strange = msgspec.structs.replace(trades[0], trade_id="strange")
    desk.reconcile(resting(), trades=(*trades, strange))
    assert desk.reconciled() == (False, "ForgottenTrade")
    desk.quote(ETH, "10", "10.02")
    denied = desk.decide("3", ETH)
    assert desk.outcomes()[denied] == (Outcome.DENIED, "ForgottenTrade")


def test_a_fill_of_an_order_that_rests_for_long_counts_although_newer_trades_are_forgotten(
    old: Book,
) -> None:
    desk = Desk(tuning=Tuning(replicas=2)).lead()
    desk.core.ctx.book = Book.restore(decode_snapshot(encode_snapshot(old.snapshot(1))))
    before = desk.position()
    missed = report(fill("rests", Side.BUY, 7))
    again = [
        report(r) for r in life(30_000) if isinstance(r, FillRecorded) and r.fill.client_order_id == "rests"
    ]
    desk.reconcile(resting(), trades=(missed, *again))
    desk.reconcile(resting(), trades=(missed, *again))
    assert desk.position() == before + STEP


def report(record: FillRecorded) -> TradeReport:
    told = record.fill
    return TradeReport(
        trade_id=told.trade_id,
        order_id=told.order_id,
        market=told.market,
        side=told.side,
        price=told.price,
        quantity=told.quantity,
        fee=told.fee,
        fee_asset=told.fee_asset,
        maker=told.maker,
        time_ms=told.time_ms,
    )


def resting() -> OrderReport:
    return OrderReport(
        client_order_id="rests",
        order_id="x-rests",
        market=BTC,
        side=Side.BUY,
        status=VenueStatus.OPEN,
        price=Decimal("60000.01"),
        quantity=Decimal(10),
        filled=Decimal(0),
        time_ms=EPOCH_MS,
    )

"""What the paper exchange remembers of orders that have ended."""

from decimal import Decimal

import pytest

from smarttrade.exchange import paper_book
from smarttrade.exchange.errors import NothingToCancelError, VenueRejectedError
from smarttrade.exchange.paper_book import PaperBook
from smarttrade.exchange.paper_terms import Standing
from smarttrade.exchange.reports import MarketFilters, OrderKind, VenueStatus
from smarttrade.exchange.venue import NewOrder
from smarttrade.messages import Quote, Side

MARKET = "BTC/USDT"
FILTERS = MarketFilters(
    market=MARKET,
    base="BTC",
    quote="USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    minimum_notional=Decimal(5),
)
NOW_MS = 1_700_000_000_000


def order(cid: str, price: str, kind: OrderKind = OrderKind.LIMIT_IOC) -> NewOrder:
    return NewOrder(
        client_order_id=cid,
        market=MARKET,
        side=Side.BUY,
        kind=kind,
        price=Decimal(price),
        quantity=Decimal("0.001"),
        deadline_ms=NOW_MS,
        window_ms=1_000,
    )


@pytest.fixture
def book() -> PaperBook:
    made = PaperBook({}, lambda: NOW_MS)
    made.use({MARKET: FILTERS})
    made.restore("USDT", Decimal(10_000), {}, ())
    one = Decimal(1)
    made.on_market(
        Quote(
            market=MARKET,
            bid=Decimal(49_999),
            bid_quantity=one,
            ask=Decimal(50_000),
            ask_quantity=one,
            time_ms=NOW_MS,
        )
    )
    return made


def test_an_order_that_was_put_back_after_a_part_had_filled_is_lowered_as_a_whole(book: PaperBook) -> None:
    standing = Standing(
        client_order_id="rests",
        order_id="7",
        market=MARKET,
        side=Side.BUY,
        price=Decimal(40_000),
        quantity=Decimal("0.003"),
        filled=Decimal("0.001"),
        since_ms=NOW_MS,
    )
    book.restore("USDT", Decimal(10_000), {MARKET: Decimal("0.001")}, (standing,))
    amended = book.amend("rests", Decimal("0.002"))
    assert (amended.quantity, amended.filled, amended.status) == (
        Decimal("0.002"),
        Decimal("0.001"),
        VenueStatus.OPEN,
    )
    _, balances = book.read_account()
    assert {each.asset: each.total - each.free for each in balances}["USDT"] == 40
    with pytest.raises(VenueRejectedError):
        book.amend("rests", Decimal("0.001"))
    with pytest.raises(NothingToCancelError):
        book.amend("unknown", Decimal("0.001"))


def test_the_oldest_of_many_ended_orders_is_forgotten_and_an_open_one_never(
    book: PaperBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_book, "KEPT_ENDED", 2)
    book.place(order("rests", "40000", OrderKind.LIMIT), lambda: True)
    for number in range(4):
        assert book.place(order(f"ioc{number}", "50100"), lambda: True).status is VenueStatus.FILLED
    known = [f"ioc{number}" for number in range(4) if book.query(f"ioc{number}") is not None]
    assert known == ["ioc2", "ioc3"]
    assert book.query("rests") is not None
    assert book.cancel("rests").status is VenueStatus.CANCELED

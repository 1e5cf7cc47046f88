"""The paper exchange against a real one's public side: what it missed, how far it is, what it charges."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.capabilities import find_capability
from smarttrade.exchange.endpoints import create_exchange, load_own_markets
from smarttrade.exchange.errors import OrderWithheldError, VenueRejectedError, VenueUncertainError
from smarttrade.exchange.missed import fetch_missed
from smarttrade.exchange.paper import PaperTerms, PaperVenue, Standing
from smarttrade.exchange.reports import OrderKind, OrderReport, VenueStatus
from smarttrade.exchange.venue import NewOrder
from smarttrade.matching import FeeSchedule
from smarttrade.messages import Quote, Side, Trade
from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.testing import Simulator, manual_config

BTC = "BTC/USDT"


def endpoint_of(exchange: Simulator) -> Endpoint:
    return Endpoint(
        rest=exchange.rest_url, websocket=exchange.ws_url, websocket_api=exchange.websocket_api_url
    )


@pytest.fixture
async def market() -> AsyncIterator[Simulator]:
    """The exchange whose market a paper account trades, at 60,000."""
    async with Simulator(manual_config()) as exchange:
        exchange.set_price(BTC, "60000")
        yield exchange


@pytest.fixture
async def opened(market):
    """opened(fees=..., latency_ms=...): a paper exchange that knows its filters and the clock."""
    venues = []

    async def build(**terms) -> PaperVenue:
        row = find_capability("binance", "Simulator")
        venue = PaperVenue(row, endpoint_of(market), [BTC], PaperTerms(**terms))
        venues.append(venue)
        await venue.read_filters()
        await venue.clock()
        return venue

    yield build
    for venue in venues:
        await venue.close()


def standing(cid: str, price: str, since_ms: int, side: Side = Side.BUY, **more) -> Standing:
    return Standing(
        client_order_id=cid,
        order_id=f"{cid}-id",
        market=BTC,
        side=side,
        price=Decimal(price),
        quantity=Decimal(1),
        filled=Decimal("0.25"),
        since_ms=since_ms,
        **more,
    )


def restore(venue: PaperVenue, *orders: Standing) -> None:
    venue.restore("USDT", Decimal(200_000), {BTC: Decimal(2)}, orders)


async def told(venue: PaperVenue) -> OrderReport:
    return await asyncio.wait_for(anext(venue.watch_orders()), 10)


def build_order(exchange: Simulator, price: str = "61000", **more) -> NewOrder:
    fields = {"deadline_ms": exchange.clock.now_ms(), "window_ms": 800, **more}
    return NewOrder(
        client_order_id="new",
        market=BTC,
        side=Side.BUY,
        kind=OrderKind.LIMIT_IOC,
        price=Decimal(price),
        quantity=Decimal(1),
        **fields,
    )


def quote(bid: str, ask: str) -> Quote:
    many = Decimal(1000)
    return Quote(
        market=BTC, bid=Decimal(bid), bid_quantity=many, ask=Decimal(ask), ask_quantity=many, time_ms=0
    )


async def test_what_traded_through_an_order_while_nobody_listened_has_filled_it(market, opened):
    venue = await opened()
    rested_ms = market.clock.now_ms()
    market.trade(BTC, "58999", "0.01")
    market.set_price(BTC, "60000")
    restore(venue, standing("through", "59000", rested_ms), standing("away", "58000", rested_ms))
    orders, _, _ = await venue.read_account(0)
    assert [order.client_order_id for order in orders] == ["away"]
    report = await told(venue)
    assert (report.client_order_id, report.status, report.filled) == ("through", VenueStatus.FILLED, 1)
    assert [(t.price, t.quantity) for t in report.trades] == [(Decimal(59000), Decimal("0.75"))]
    assert rested_ms <= report.trades[0].time_ms <= market.clock.now_ms()
    assert await venue.trades_of(BTC, "through-id") == report.trades


async def test_what_traded_before_the_order_rested_or_only_touched_it_fills_nothing(market, opened):
    venue = await opened()
    market.trade(BTC, "58000", "5")
    rested_ms = market.clock.now_ms() + 1
    await asyncio.sleep(0.01)
    market.trade(BTC, "59000", "5")
    restore(venue, standing("touched", "59000", rested_ms))
    orders, _, _ = await venue.read_account(0)
    assert [(order.client_order_id, order.filled) for order in orders] == [("touched", Decimal("0.25"))]


async def test_a_pair_is_put_back_and_the_stop_that_was_missed_has_ended_the_other(market, opened):
    venue = await opened()
    rested_ms = market.clock.now_ms()
    restore(
        venue,
        standing("profit", "61000", rested_ms, Side.SELL, group="g"),
        standing("stop", "58500", rested_ms, Side.SELL, group="g", trigger=Decimal(59000)),
    )
    market.trade(BTC, "58900", "0.01")
    await venue.read_account(0)
    reports = {r.client_order_id: r for r in [await told(venue), await told(venue)]}
    assert reports["profit"].status is VenueStatus.EXPIRED
    venue.on_market(quote("58800", "58801"))
    assert (await told(venue)).status is VenueStatus.FILLED


async def test_live_events_wait_until_what_was_missed_has_been_matched(market, opened):
    venue = await opened()
    restore(venue, standing("resting", "59000", market.clock.now_ms()))
    crossing = quote("58000", "58001")
    venue.on_market(crossing)
    await venue.query("resting", BTC)
    assert (await told(venue)).trades[0].price == 59000


async def test_nothing_is_answered_before_the_missed_trades_could_be_read(market, opened):
    venue = await opened()
    market.faults.inject("maintenance", endpoint="GET /api/v3/aggTrades", times=1)
    restore(venue, standing("resting", "59000", market.clock.now_ms() - 1))
    with pytest.raises(VenueUncertainError, match="missed trades"):
        await venue.read_account(0)
    assert len((await venue.read_account(0))[0]) == 1


async def test_an_order_takes_its_time_and_may_come_too_late(market, opened):
    venue = await opened(latency_ms=150)
    restore(venue)
    venue.on_market(quote("59999", "60001"))
    started = time.monotonic()
    await venue.place(build_order(market), lambda: True)
    assert time.monotonic() - started >= 0.149
    with pytest.raises(VenueRejectedError, match="deadline"):
        await venue.place(build_order(market, window_ms=10), lambda: True)
    with pytest.raises(OrderWithheldError):
        await venue.place(build_order(market), lambda: False)


async def test_fees_are_those_of_the_terms(market, opened):
    venue = await opened(fees=FeeSchedule(Decimal(0), Decimal("0.002")))
    restore(venue)
    venue.on_market(quote("59999", "60001"))
    report = await venue.place(build_order(market), lambda: True)
    assert [(trade.fee, trade.fee_asset) for trade in report.trades] == [(Decimal("0.002"), "BTC")]


async def test_a_long_absence_is_read_by_minutes_and_its_last_hour_by_trades():
    config = SimulatorConfig(compress=60, seed=2, history_s=3 * 86_400)
    async with Simulator(config) as exchange:
        client = create_exchange("binance", endpoint_of(exchange), {"number": str})
        await load_own_markets(client, [BTC])
        now_ms = exchange.clock.now_ms()
        try:
            long = await fetch_missed(client, BTC, now_ms - 65 * 60_000 + 1, now_ms)
            short = await fetch_missed(client, BTC, now_ms - 60_000, now_ms)
            rows = await client.fetch_ohlcv(BTC, "1m", now_ms - 64 * 60_000, 3)
        finally:
            await client.close()
    for trades in (long, short):
        assert all(isinstance(trade, Trade) for trade in trades)
        assert [t.time_ms for t in trades] == sorted(t.time_ms for t in trades)
    assert now_ms - 60_000 <= short[0].time_ms
    assert {Decimal(rows[1][2]), Decimal(rows[1][3])} <= {trade.price for trade in long}
    assert len({trade.id for trade in long}) == len(long)

"""Monitoring of an exchange that is not Binance: the class of ccxt.pro, only its addresses are changed."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from smarttrade.exchange import endpoints
from smarttrade.exchange.loading import load_exchange_class
from smarttrade.messages import Candle, MonitoringReport, Quote, Report, StreamStatus, Trade, Verdict
from smarttrade.monitoring.service import MonitoringService
from tests.component.monitoring.hollaex import MARKET, PAGE, HollaEx
from tests.component.monitoring.pod import PATIENCE_S, Bus, Listener, Running, build_spec, eventually, start

POD = "alice-0"
MINUTE = 60_000
BEFORE_THE_MINUTE_S = 8


class Scene:
    """Monitoring of one pod, with an ear at its feed."""

    def __init__(self, exchange: HollaEx, running: Running, listener: Listener) -> None:
        self.exchange, self.running, self.listener = exchange, running, listener
        self._prices = count(60_100)

    @property
    def prices(self) -> list[int]:
        return [int(trade.price) for trade in self.listener.of(Trade)]

    def verdict(self, stream: str = "trade") -> Verdict | None:
        told = self.listener.of(StreamStatus, stream=stream)
        return told[-1].verdict if told else None

    async def fresh(self) -> None:
        await eventually(
            lambda: {self.verdict("trade"), self.verdict("quote")} == {Verdict.FRESH},
            "both streams are fresh",
        )

    async def trade(self, times: int, *, silently: bool = False) -> None:
        """Each at a price of its own."""
        for _ in range(times):
            await self.exchange.trade(str(next(self._prices)), silently=silently)
            await asyncio.sleep(0.002)

    async def newest_comes(self) -> None:
        newest = int(self.exchange.trades[-1]["price"])
        await eventually(lambda: newest in self.prices, f"the trade at {newest}")

    def metric(self, name: str) -> float:
        return self.running.metric(name, market=MARKET)


@pytest_asyncio.fixture
async def exchange(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HollaEx]:
    async with HollaEx() as running:
        running.ahead_s = -(running.now_s() + BEFORE_THE_MINUTE_S) % 60
        newest_ms = running.now_ms() // MINUTE * MINUTE
        for open_ms in range(newest_ms - 350 * MINUTE, newest_ms, MINUTE):
            running.candles[open_ms] = ("60000", "60010", "59990", "60005", "3")
        genuine = load_exchange_class("hollaex")

        class Here(genuine):  # type: ignore[misc, valid-type]
            def describe(self) -> object:
                return self.deep_extend(super().describe(), {"urls": {"api": running.urls}})

        monkeypatch.setattr(endpoints, "load_exchange_class", lambda name: {"hollaex": Here}[name])
        yield running


@pytest_asyncio.fixture
async def scene(bus: Bus, exchange: HollaEx, tmp_path: Path) -> AsyncIterator[Scene]:
    for price in range(60_000, 60_010):
        await exchange.trade(str(price), silently=True)
    nc = await bus.connect("evaluation")
    listener = await Listener().listen(nc, POD)
    spec = build_spec(MARKET, timeframe="1m")
    spec["exchange"]["name"] = "hollaex"
    await bus.control(1, spec)
    running = start(MonitoringService, bus.settings("monitoring", POD, tmp_path))
    await running.ready()
    scene = Scene(exchange, running, listener)
    await scene.fresh()
    yield scene
    await running.stop()


async def test_what_was_traded_while_nothing_was_connected_comes_once_and_in_order(scene: Scene) -> None:
    await scene.trade(5)
    await scene.newest_comes()
    scene.exchange.accepting.clear()
    assert await scene.exchange.drop() > 0
    await scene.trade(20, silently=True)
    scene.exchange.accepting.set()
    await scene.newest_comes()
    await scene.fresh()
    await scene.trade(5)
    await scene.newest_comes()
    assert scene.prices == list(range(60_100, 60_130))
    assert len({trade.id for trade in scene.listener.of(Trade)}) == 30
    assert scene.metric("smarttrade_trades_doubtful_seconds_total") == 0
    assert scene.metric("smarttrade_feed_reconnects_total") >= 1


async def test_a_quiet_market_of_an_exchange_that_answers_no_pings_is_looked_at_by_rest(scene: Scene) -> None:
    exchange = scene.exchange
    exchange.answers_pings = False
    await exchange.drop()
    await eventually(lambda: bool(exchange.connections), "the new connection")
    await scene.fresh()
    reconnects = scene.metric("smarttrade_feed_reconnects_total")
    looks, since = exchange.asked_for_trades, len(scene.listener.events)
    await eventually(lambda: exchange.asked_for_trades >= looks + 3, "three looks at the silent stream")
    told = {event.verdict for event in scene.listener.events[since:] if isinstance(event, StreamStatus)}
    assert told == {Verdict.FRESH}
    assert scene.metric("smarttrade_feed_reconnects_total") == reconnects


async def test_more_than_the_exchange_tells_of_is_said_to_be_doubtful(scene: Scene) -> None:
    await scene.trade(1)
    await scene.newest_comes()
    scene.exchange.accepting.clear()
    assert await scene.exchange.drop() > 0
    await scene.trade(2 * PAGE, silently=True)
    scene.exchange.accepting.set()
    await scene.newest_comes()
    assert scene.prices == [60_100, *range(60_101 + PAGE, 60_101 + 2 * PAGE)]
    assert scene.metric("smarttrade_trades_doubtful_seconds_total") > 0


async def test_a_quiet_market_stays_fresh_and_its_candle_is_the_exchanges_own(scene: Scene) -> None:
    await scene.trade(1)
    await scene.newest_comes()
    exchange, since, asked = scene.exchange, len(scene.listener.events), scene.exchange.asked_for_trades
    open_ms = exchange.now_ms() // MINUTE * MINUTE
    exchange.candles[open_ms] = ("60000", "60020", "59980", "60011", "7")
    await eventually(lambda: bool(scene.listener.of(Quote)), "the best prices")
    shown = scene.listener.of(Quote)[-1]
    assert (shown.bid, shown.ask) == (59_999, 60_001)

    def told_of() -> list[Candle]:
        return scene.listener.of(Candle, open_ms=open_ms)

    await eventually(lambda: bool(told_of()), "the candle of the running minute", PATIENCE_S + 30)
    [told] = told_of()
    assert (told.close, told.volume, told.final) == (Decimal(60_011), Decimal(7), True)
    assert exchange.now_ms() >= told.close_ms
    assert scene.running.metric("smarttrade_clock_error_seconds") < 0.6
    assert abs(scene.running.metric("smarttrade_clock_offset_seconds") - exchange.ahead_s) < 0.6
    exchange.candles[open_ms] = ("60000", "60020", "59980", "60012", "8")
    await eventually(
        lambda: len(scene.listener.of(Candle)) > 1, "what the exchange says later of that minute"
    )
    corrected = scene.listener.of(Candle)[1]
    assert (corrected.open_ms, corrected.correction) == (open_ms, True)
    assert (corrected.close, corrected.volume) == (60_012, 8)
    await eventually(lambda: exchange.asked_for_trades > asked, "a look by REST at the silent stream")
    verdicts = {
        event.verdict
        for event in scene.listener.events[since:]
        if isinstance(event, StreamStatus) and event.stream == "trade"
    }
    assert verdicts == {Verdict.FRESH}
    assert scene.metric("smarttrade_feed_reconnects_total") == 0


async def test_an_exchange_that_tells_no_time_is_not_watched_and_says_why(
    bus: Bus, exchange: HollaEx, tmp_path: Path
) -> None:
    exchange.dates = False
    reports: list[MonitoringReport] = []

    async def received(_: str, __: str, report: Report) -> None:
        if isinstance(report, MonitoringReport):
            reports.append(report)

    await bus.provisioner.serve_reports(received)
    spec = build_spec(MARKET, timeframe="1m")
    spec["exchange"]["name"] = "hollaex"
    await bus.control(1, spec)
    running = start(MonitoringService, bus.settings("monitoring", POD, tmp_path))
    try:
        await eventually(
            lambda: any("does not tell its time" in report.checks[0].message for report in reports),
            "what is wrong is told to the operator",
        )
        assert not reports[-1].checks[0].ok
    finally:
        await running.stop()

"""Monitoring against the simulated exchange, through unmodified ccxt.pro and a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from smarttrade.bus import subjects
from smarttrade.messages import (
    Book,
    Candle,
    ControlChange,
    DescribeReply,
    DescribeRequest,
    EvaluationStatus,
    HistoryReply,
    HistoryRequest,
    MonitoringReport,
    Quote,
    Report,
    StreamStatus,
    Trade,
    Verdict,
    decode,
    encode,
)
from smarttrade.monitoring.service import MonitoringService
from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.simulator import Simulator
from smarttrade.simulator.testing import manual_config
from tests.component.monitoring.pod import Bus, Listener, Running, build_spec, endpoint_of, eventually, start

POD = "alice-0"


class Scene:
    """Monitoring of one pod, with an ear at its feed."""

    def __init__(self, bus: Bus, exchange: Simulator, running: Running, listener: Listener, nc: Any) -> None:
        self.bus, self.exchange, self.running, self.listener = bus, exchange, running, listener
        self.nc = nc

    async def ask(self, request: Any, kind: Any) -> Any:
        reply = await self.nc.request(subjects.history(POD), encode(request), timeout=10)
        return decode(reply.data, kind) if kind else reply.data

    def verdict(self, stream: str = "trade", market: str = "BTC/USDT") -> Verdict | None:
        told = self.listener.of(StreamStatus, stream=stream, market=market)
        return told[-1].verdict if told else None

    async def fresh(self) -> None:
        await eventually(
            lambda: self.verdict("trade") is Verdict.FRESH and self.verdict("quote") is Verdict.FRESH,
            "both streams are fresh",
        )


@pytest.fixture
def exchange_config() -> SimulatorConfig:
    return manual_config(symbols=("BTC/USDT", "ETH/USDT"))


@pytest_asyncio.fixture
async def scene(bus: Bus, exchange_config: SimulatorConfig, tmp_path: Path) -> AsyncIterator[Scene]:
    async with Simulator(exchange_config) as exchange:
        for symbol, price in (("BTC/USDT", "60000"), ("ETH/USDT", "3000")):
            if exchange_config.market == "manual":
                exchange.set_price(symbol, price)
        nc = await bus.connect("evaluation")
        listener = await Listener().listen(nc, POD)
        await bus.control(1, build_spec())
        running = start(MonitoringService, bus.settings("monitoring", POD, tmp_path, endpoint_of(exchange)))
        await running.ready()
        scene = Scene(bus, exchange, running, listener, nc)
        await scene.fresh()
        yield scene
        await running.stop()


def trade_ids(listener: Listener) -> list[int]:
    return [int(trade.id) for trade in listener.of(Trade)]


def opens(listener: Listener, timeframe: str = "1s") -> list[int]:
    """Of the candles as they were first told."""
    return [candle.open_ms for candle in listener.of(Candle, timeframe=timeframe, correction=False)]


def assert_steps(numbers: list[int], step: int) -> None:
    assert {later - earlier for earlier, later in pairwise(numbers)} <= {step}


def assert_complete(listener: Listener) -> None:
    """Nothing missing, nothing twice, nothing out of order."""
    ids, times = trade_ids(listener), opens(listener)
    assert_steps(ids, 1)
    assert_steps(times, 1_000)
    assert_steps([batch.seq for batch in listener.batches], 1)


async def trade_for(exchange: Simulator, count: int, pause_s: float = 0.05) -> None:
    for number in range(count):
        exchange.trade("BTC/USDT", str(60_000 + number % 7), "0.01")
        await asyncio.sleep(pause_s)


async def test_trades_quotes_and_candles_arrive_as_they_were(scene: Scene) -> None:
    before = len(scene.listener.of(Trade))
    scene.exchange.quote("BTC/USDT", "59999", "60001")
    await trade_for(scene.exchange, 30)
    await eventually(lambda: len(scene.listener.of(Trade)) >= before + 30, "thirty trades")
    await eventually(lambda: len(scene.listener.of(Candle)) >= 3, "three candles")
    assert_complete(scene.listener)
    trades, candles = scene.listener.of(Trade), scene.listener.of(Candle)
    for candle in candles:
        inside = [trade for trade in trades if candle.open_ms <= trade.time_ms < candle.close_ms]
        if inside and trades[0].time_ms < candle.open_ms:
            assert candle.close == inside[-1].price
            assert candle.volume == sum(trade.quantity for trade in inside)
            assert candle.high == max(trade.price for trade in inside)
    shown = (Decimal(59_999), Decimal(60_001))
    assert shown in [(quote.bid, quote.ask) for quote in scene.listener.of(Quote)]


async def test_nothing_is_missing_after_the_websocket_was_dropped(scene: Scene) -> None:
    await trade_for(scene.exchange, 10)
    assert scene.exchange.drop_websockets() > 0
    assert scene.running.probes.is_ready, "the exchange is no matter of readiness"
    for _ in range(10):
        scene.exchange.trade("BTC/USDT", "60010", "0.01")
    await trade_for(scene.exchange, 60)
    last = scene.exchange.venue.by_symbol["BTC/USDT"].trades[-1].id
    await eventually(lambda: trade_ids(scene.listener)[-1] == last, "the newest trade")
    count = len(opens(scene.listener))
    await eventually(lambda: len(opens(scene.listener)) >= count + 3, "three more candles")
    assert_complete(scene.listener)
    assert scene.running.metric("smarttrade_feed_reconnects_total", market="BTC/USDT") >= 1


async def test_more_trades_than_a_page_that_were_missed_are_read_page_by_page(scene: Scene) -> None:
    await trade_for(scene.exchange, 3)
    assert scene.exchange.drop_websockets() > 0
    for number in range(2_500):
        scene.exchange.trade("BTC/USDT", str(60_000 + number % 7), "0.01")
    last = scene.exchange.venue.by_symbol["BTC/USDT"].trades[-1].id
    await eventually(lambda: trade_ids(scene.listener)[-1] == last, "the newest trade")
    assert_complete(scene.listener)
    assert not scene.running.metric("smarttrade_trades_lost_total", market="BTC/USDT")
    filled = scene.running.metric("smarttrade_trades_filled_total", market="BTC/USDT", source="rest")
    assert filled >= 1_000


async def test_a_silent_websocket_is_noticed_and_replaced(scene: Scene) -> None:
    await trade_for(scene.exchange, 5)
    assert scene.exchange.silence_websockets() > 0
    scene.exchange.trade("BTC/USDT", "60020", "0.01")
    last = scene.exchange.venue.by_symbol["BTC/USDT"].trades[-1].id
    await eventually(lambda: trade_ids(scene.listener)[-1] == last, "the trade that the silence swallowed")
    verdicts = {status.verdict for status in scene.listener.of(StreamStatus, stream="trade")}
    assert Verdict.BROKEN in verdicts
    await scene.fresh()
    assert_complete(scene.listener)


async def test_a_quiet_market_is_fresh_and_its_candles_are_flat(scene: Scene) -> None:
    since = len(scene.listener.events)
    count = len(opens(scene.listener))
    await eventually(lambda: len(opens(scene.listener)) >= count + 8, "eight candles of silence")
    told = [event for event in scene.listener.events[since:] if isinstance(event, StreamStatus)]
    assert {status.verdict for status in told if status.stream == "trade"} == {Verdict.FRESH}
    flat = scene.listener.of(Candle)[-1]
    assert (flat.open, flat.high, flat.low, flat.volume) == (flat.close, flat.close, flat.close, 0)
    assert_complete(scene.listener)


async def test_history_ends_where_the_live_candles_begin(scene: Scene) -> None:
    await eventually(lambda: len(opens(scene.listener)) >= 2, "two live candles")
    request = HistoryRequest(market="BTC/USDT", timeframe="1s", count=1_000)
    reply = await scene.ask(request, HistoryReply)
    history = [candle.open_ms for candle in reply.candles]
    assert history == list(range(history[0], history[0] + 1_000 * len(history), 1_000))
    first_live = opens(scene.listener)[0]
    assert first_live - 1_000 in history
    assert history[-1] >= first_live
    older = HistoryRequest(market="BTC/USDT", timeframe="1s", count=5, before_ms=history[2])
    page = (await scene.ask(older, HistoryReply)).candles
    assert [candle.open_ms for candle in page] == history[:2]


@pytest.mark.parametrize(
    ("market", "timeframe", "message"),
    [("DOGE/USDT", "1m", "not a market of this account"), ("BTC/USDT", "7m", "no timeframe '7m'")],
)
async def test_what_cannot_be_served_is_told(scene: Scene, market: str, timeframe: str, message: str) -> None:
    reply = await scene.ask(HistoryRequest(market=market, timeframe=timeframe, count=5), HistoryReply)
    assert message in reply.error


async def test_a_market_added_by_control_is_watched_without_a_restart(scene: Scene) -> None:
    spec = build_spec("BTC/USDT", "ETH/USDT")
    await scene.bus.control(2, spec)
    await eventually(lambda: bool(scene.listener.of(ControlChange, generation=2)), "the change in the stream")
    assert scene.listener.of(ControlChange, generation=2)[0].spec == spec
    described = await scene.ask(DescribeRequest(), DescribeReply)
    assert (described.generation, described.feed) == (2, scene.listener.batches[0].feed)
    await eventually(lambda: scene.verdict("trade", "ETH/USDT") is Verdict.FRESH, "ETH/USDT is watched")
    scene.exchange.trade("ETH/USDT", "3001", "0.5")
    await eventually(lambda: bool(scene.listener.of(Trade, market="ETH/USDT")), "a trade of ETH/USDT")
    assert not scene.running.metric("smarttrade_feed_reconnects_total", market="BTC/USDT")


async def test_a_market_that_does_not_exist_is_refused_and_the_others_go_on(scene: Scene) -> None:
    reports: list[MonitoringReport] = []

    async def received(_: str, __: str, report: Report) -> None:
        if isinstance(report, MonitoringReport):
            reports.append(report)

    await scene.bus.provisioner.serve_reports(received)
    await scene.bus.control(2, build_spec("BTC/USDT", "NOPE/USDT"))
    refusal = "no spot market NOPE/USDT"
    await eventually(
        lambda: any(refusal in check.message for report in reports for check in report.checks),
        "the refusal in a report",
    )
    assert reports[-1].generation == 1
    await trade_for(scene.exchange, 5)
    await eventually(lambda: len(scene.listener.of(Trade)) >= 5, "trades go on")


async def test_the_operator_hears_of_stale_data_and_of_evaluation(scene: Scene) -> None:
    reports: list[MonitoringReport] = []

    async def received(_: str, __: str, report: Report) -> None:
        if isinstance(report, MonitoringReport):
            reports.append(report)

    await scene.bus.provisioner.serve_reports(received)
    status = EvaluationStatus(
        pod=POD, generation=1, ready=True, leading=True, decisions=3, divergences=0, error=""
    )
    assert await scene.ask(status, None) == b""
    await eventually(lambda: any(report.evaluation == status for report in reports), "evaluation's heartbeat")
    data = [check for check in reports[-1].checks if check.type == "DataFresh"]
    assert [(check.ok, check.reason) for check in data] == [(True, "StreamsFresh")]
    await scene.exchange.stop()
    await eventually(lambda: not reports[-1].checks[0].ok, "stale data in a report")
    assert reports[-1].checks[0].reason in {"StreamBroken", "StreamStale"}


async def test_order_books_are_watched_once_evaluation_wants_them(scene: Scene) -> None:
    await trade_for(scene.exchange, 5)
    assert not scene.listener.of(Book)
    wish = EvaluationStatus(
        pod=POD, generation=1, ready=True, leading=True, decisions=0, divergences=0, book_levels=5
    )
    await scene.ask(wish, None)

    async def moving() -> None:
        while True:
            await trade_for(scene.exchange, 2)

    moves = asyncio.create_task(moving())
    await eventually(lambda: len(scene.listener.of(Book)) >= 3, "order books")
    moves.cancel()
    books = scene.listener.of(Book)
    assert all(len(book.bids) <= 5 and len(book.asks) <= 5 for book in books)
    assert [book.update_id for book in books] == sorted({book.update_id for book in books})
    await eventually(lambda: scene.verdict("book") is Verdict.FRESH, "a fresh book")


_TOO_MANY = "too many questions at once: wait for their answers"


async def test_strategy_code_that_floods_its_questions_is_told_to_wait(scene: Scene) -> None:
    question = HistoryRequest(market="BTC/USDT", timeframe="1h", count=500)
    asked = [asyncio.create_task(scene.ask(question, HistoryReply)) for _ in range(60)]
    told = [(await answer).error for answer in asked]
    assert _TOO_MANY in told
    assert (await scene.ask(question, HistoryReply)).error != _TOO_MANY


async def test_heartbeats_without_end_are_passed_on_now_and_then(scene: Scene) -> None:
    beat = EvaluationStatus(pod=POD, generation=1, ready=True, leading=True, decisions=0, divergences=0)
    await asyncio.gather(*(scene.ask(beat, None) for _ in range(200)))
    await eventually(lambda: bool(scene.listener.of(StreamStatus, stream="evaluation")), "a pulse")
    assert len(scene.listener.of(StreamStatus, stream="evaluation")) < 100


async def test_the_exchanges_clock_is_measured(scene: Scene) -> None:
    await eventually(
        lambda: 0 < scene.running.metric("smarttrade_clock_error_seconds") < 1, "a measured clock"
    )
    assert abs(scene.running.metric("smarttrade_clock_offset_seconds")) < 1

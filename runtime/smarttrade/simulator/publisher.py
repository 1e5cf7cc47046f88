"""Market events to the streams that anybody listens to.

Messages are built only for subscribed streams: most markets of an exchange have no listener at any moment.
"""

from collections.abc import Callable
from functools import partial

from smarttrade.matching import PublicTrade
from smarttrade.simulator import render_market, render_market_events
from smarttrade.simulator.marketdata import MarketData
from smarttrade.simulator.render_market_events import Json
from smarttrade.simulator.subscriptions import Subscriptions
from smarttrade.simulator.venue import Venue

Build = Callable[[MarketData, int], Json]
_WINDOWS = ("1h", "4h", "1d")
_DIFFERENCES = ("depth", "depth@100ms", "depth@1000ms")


class Publisher:
    """`on_trade` and `on_book` are called as it happens, the others by the pump's beat."""

    def __init__(self, venue: Venue, subscriptions: Subscriptions) -> None:
        self.venue = venue
        self.to = subscriptions

    def on_trade(self, data: MarketData, trade: PublicTrade) -> None:
        market = data.stream_name
        kinds = self.to.kinds(market)
        if not kinds:
            return
        now_ms = self.venue.clock.now_ms()
        if "trade" in kinds:
            self.to.publish(f"{market}@trade", partial(render_market_events.build_trade_event, trade, now_ms))
        if "aggTrade" in kinds:
            build = partial(render_market_events.build_aggregate_trade_event, trade, now_ms)
            self.to.publish(f"{market}@aggTrade", build)

    def on_book(self, data: MarketData) -> None:
        if "bookTicker" in self.to.kinds(data.stream_name):
            build = partial(render_market_events.build_book_ticker_event, data)
            self.to.publish(f"{data.stream_name}@bookTicker", build)

    def closed_candles(self, data: MarketData, now_ms: int) -> None:
        """The final message of every candle that has ended."""
        data.candles.advance(now_ms)
        closed = data.candles.take_closed()
        kinds = self.to.kinds(data.stream_name)
        for interval, candle in closed:
            if f"kline_{interval}" in kinds:
                self.to.publish(
                    f"{data.stream_name}@kline_{interval}",
                    partial(
                        render_market_events.build_kline_event, data.market, interval, candle, True, now_ms
                    ),
                )

    def beat(self, number: int, now_ms: int) -> None:
        """Every 100 ms: differences and partial books; running candles twice a second, tickers once."""
        for market in self.to.markets():
            data = self.venue.data.get(market.upper())
            if data is None:
                continue
            self.depth(data, number, now_ms)
            if number % 5 == 0:
                self.running_candles(data, now_ms)
            if number % 10 == 0:
                self.tickers(data, now_ms)
        if number % 10 == 0:
            self.all_tickers(now_ms)

    def running_candles(self, data: MarketData, now_ms: int) -> None:
        for kind in self.to.kinds(data.stream_name):
            if not kind.startswith("kline_"):
                continue
            interval = kind[len("kline_") :]
            running = data.candles.running(interval)
            if running is not None:
                self.to.publish(
                    f"{data.stream_name}@{kind}",
                    partial(
                        render_market_events.build_kline_event, data.market, interval, running, False, now_ms
                    ),
                )

    def depth(self, data: MarketData, number: int, now_ms: int) -> None:
        """The fast streams each beat, the others once a second."""
        for kind in self.to.kinds(data.stream_name):
            if not kind.startswith("depth"):
                continue
            if not kind.endswith("@100ms") and number % 10:
                continue
            if kind not in _DIFFERENCES:
                count = int(kind[len("depth") :].partition("@")[0])
                self.to.publish(f"{data.stream_name}@{kind}", partial(render_market.build_depth, data, count))
        self._differences(data, "fast", ("depth@100ms",), now_ms)
        if number % 10 == 0:
            self._differences(data, "slow", ("depth", "depth@1000ms"), now_ms)

    def _differences(self, data: MarketData, speed: str, names: tuple[str, ...], now_ms: int) -> None:
        if self.to.kinds(data.stream_name).isdisjoint(names):
            return
        changes = data.take_changes(speed)
        if changes is None:
            return
        for name in names:
            self.to.publish(
                f"{data.stream_name}@{name}",
                partial(render_market_events.build_depth_event, data.market, changes, now_ms),
            )

    def tickers(self, data: MarketData, now_ms: int) -> None:
        name, kinds = data.stream_name, self.to.kinds(data.stream_name)
        if "ticker" in kinds:
            self.to.publish(f"{name}@ticker", partial(render_market_events.build_ticker_event, data, now_ms))
        if "miniTicker" in kinds:
            build = partial(render_market_events.build_mini_ticker_event, data, now_ms)
            self.to.publish(f"{name}@miniTicker", build)
        if "avgPrice" in kinds:
            build = partial(render_market_events.build_average_price_event, data, now_ms)
            self.to.publish(f"{name}@avgPrice", build)
        for window in _WINDOWS:
            if f"ticker_{window}" in kinds:
                build = partial(render_market_events.build_window_event, data, window, now_ms)
                self.to.publish(f"{name}@ticker_{window}", build)

    def all_tickers(self, now_ms: int) -> None:
        """Arrays of all markets that have changed since the array before."""
        if not any(self.to.kinds(name) for name in _ALL_BUILDERS):
            return
        changed = [data for data in self.venue.data.values() if data.take_ticked()]
        if not changed:
            return
        for kind, build in _ALL_BUILDERS.items():
            for speed in self.to.kinds(kind):
                self.to.publish(f"{kind}@{speed}", partial(_build_all, build, changed, now_ms))


def _build_window(window: str, data: MarketData, now_ms: int) -> Json:
    return render_market_events.build_window_event(data, window, now_ms)


def _build_all(build: Build, changed: list[MarketData], now_ms: int) -> list[Json]:
    return [build(data, now_ms) for data in changed]


_ALL_BUILDERS: dict[str, Build] = {
    "!ticker": render_market_events.build_ticker_event,
    "!miniTicker": render_market_events.build_mini_ticker_event,
    **{f"!ticker_{window}": partial(_build_window, window) for window in _WINDOWS},
}

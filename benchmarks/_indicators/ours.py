"""SmartTrade: events through evaluation's core, decoded ones and such as they arrive from the bus."""

from __future__ import annotations

import json
import sys
from decimal import Decimal

from benchmarks._crossover.report import Stopwatch, read
from smarttrade import Candle, Strategy
from smarttrade.evaluation.core import Core
from smarttrade.evaluation.indicators import ATR, EMA, RSI, Bollinger, Donchian
from smarttrade.evaluation.strategy import AccountSetup
from smarttrade.identity import AccountIdentity
from smarttrade.messages import MarketBatch, decode, encode

_MINUTE_MS = 60_000
_MARKET = "BTC/USDT"


class Five(Strategy):
    def start(self) -> None:
        self.ema, self.rsi, self.atr = EMA(20), RSI(14), ATR(14)
        self.bands, self.channel = Bollinger(20), Donchian(20)
        self.count = 0

    def on_candle(self, candle: Candle) -> None:
        high, low, close = float(candle.high), float(candle.low), float(candle.close)
        self.ema.update(close)
        self.rsi.update(close)
        self.atr.update(high, low, close)
        self.bands.update((high + low + close) / 3)
        self.channel.update(high, low)
        ema, rsi, atr = self.ema.value, self.rsi.value, self.atr.value
        lower, upper, top = self.bands.lower, self.bands.upper, self.channel.upper
        if ema is None or rsi is None or atr is None or lower is None or upper is None or top is None:
            return
        if close > ema and rsi > 50 and lower < close < upper and close + atr > top:
            self.count += 1


def build_core() -> Core:
    allocation = Decimal(10_000)
    setup = AccountSetup((_MARKET,), "1m", _MINUTE_MS, "USDT", allocation, allocation)
    return Core(AccountIdentity("bench", "bench", "bench"), "five", Five(setup), 1)


def build_candles(path: str) -> list[Candle]:
    return [
        Candle(
            market=_MARKET,
            timeframe="1m",
            open_ms=open_ms,
            close_ms=open_ms + _MINUTE_MS,
            open=Decimal(prices[0]),
            high=Decimal(prices[1]),
            low=Decimal(prices[2]),
            close=Decimal(prices[3]),
            volume=Decimal(1),
            final=True,
        )
        for open_ms, *prices in read(path)
    ]


def main(path: str) -> None:
    candles = build_candles(path)
    core = build_core()
    with Stopwatch() as watch:
        for candle in candles:
            core.on_event(candle)
    payloads = [
        encode(MarketBatch(feed="bench", seq=number, events=[candle]))
        for number, candle in enumerate(candles)
    ]
    arriving = build_core()
    with Stopwatch() as decoding:
        for payload in payloads:
            batch: MarketBatch = decode(payload, MarketBatch)
            for event in batch.events:
                arriving.on_event(event)  # type: ignore[arg-type]
    [count] = {each.strategy.count for each in (core, arriving)}  # type: ignore[attr-defined]
    document = {
        "events": len(candles),
        "seconds": watch.seconds,
        "from_the_bus_seconds": decoding.seconds,
        "count": count,
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(sys.argv[1])

"""NautilusTrader: its backtest engine, a Python strategy, its own five indicators."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "_crossover"))

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.indicators import (
    AverageTrueRange,
    BollingerBands,
    DonchianChannel,
    ExponentialMovingAverage,
    MovingAverageType,
    RelativeStrengthIndex,
)
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from report import Stopwatch, read

MINUTE_MS = 60_000
INSTRUMENT = TestInstrumentProvider.btcusdt_binance()
KIND = BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL")


class Five(Strategy):
    def on_start(self) -> None:
        self.ema = ExponentialMovingAverage(20)
        self.rsi = RelativeStrengthIndex(14, ma_type=MovingAverageType.WILDER)
        self.atr = AverageTrueRange(14, ma_type=MovingAverageType.WILDER)
        self.bands = BollingerBands(20, 2.0)
        self.channel = DonchianChannel(20)
        for indicator in (self.ema, self.rsi, self.atr, self.bands, self.channel):
            self.register_indicator_for_bars(KIND, indicator)
        self.count = 0
        self.subscribe_bars(KIND)

    def on_bar(self, bar: Any) -> None:
        if not self.indicators_initialized():
            return
        close = float(bar.close)
        inside = self.bands.lower < close < self.bands.upper
        if (
            close > self.ema.value
            and self.rsi.value > 0.5
            and inside
            and close + self.atr.value > self.channel.upper
        ):
            self.count += 1


def main(path: str) -> None:
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True)
        )
    )
    cash = [Money(1_000_000, USDT), Money(10, BTC)]
    engine.add_venue(Venue("BINANCE"), OmsType.NETTING, AccountType.CASH, cash, bar_execution=False)
    engine.add_instrument(INSTRUMENT)
    one = Quantity.from_str("1.000000")
    bars = [
        Bar(
            KIND,
            *(Price.from_str(f"{Decimal(price):.2f}") for price in prices),
            one,
            (ms + MINUTE_MS) * 10**6,
            (ms + MINUTE_MS) * 10**6,
        )
        for ms, *prices in read(path)
    ]
    engine.add_data(bars)
    strategy = Five()
    engine.add_strategy(strategy)
    with Stopwatch() as watch:
        engine.run()
    print(json.dumps({"events": len(bars), "seconds": watch.seconds, "count": strategy.count}))


if __name__ == "__main__":
    main(sys.argv[1])

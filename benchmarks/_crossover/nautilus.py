"""NautilusTrader: its backtest engine with bar execution, a cash account and its own EMA."""

from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from report import Stopwatch, Trade, main, periods, read

QUANTITY, MINUTE_MS = "0.100000", 60_000
INSTRUMENT = TestInstrumentProvider.btcusdt_binance()
KIND = BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL")


class Cross(Strategy):
    def on_start(self) -> None:
        self.fast, self.slow = (ExponentialMovingAverage(period) for period in periods())
        self.register_indicator_for_bars(KIND, self.fast)
        self.register_indicator_for_bars(KIND, self.slow)
        self.long = False
        self.subscribe_bars(KIND)

    def on_bar(self, bar: Any) -> None:
        if not self.indicators_initialized():
            return
        above = self.fast.value > self.slow.value
        if above is self.long:
            return
        self.long = above
        side = OrderSide.BUY if above else OrderSide.SELL
        self.submit_order(self.order_factory.market(INSTRUMENT.id, side, Quantity.from_str(QUANTITY)))


def build_engine(path: str) -> tuple[Any, int]:
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=False)
        )
    )
    cash = [Money(1_000_000, USDT), Money(10, BTC)]
    engine.add_venue(Venue("BINANCE"), OmsType.NETTING, AccountType.CASH, cash)
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
    engine.add_strategy(Cross())
    return engine, len(bars)


def run(path: str) -> tuple[int, float, list[Trade], int]:
    engine, bars = build_engine(path)
    with Stopwatch() as watch:
        engine.run()
    orders = sorted(engine.cache.orders_closed(), key=lambda order: (order.ts_last, order.ts_init))
    fills = [(order.ts_last // 10**6, float(order.avg_px)) for order in orders]
    pairs = zip(fills[::2], fills[1::2], strict=False)
    return bars, watch.seconds, [(*entry, *leave) for entry, leave in pairs], len(orders)


if __name__ == "__main__":
    main(run)

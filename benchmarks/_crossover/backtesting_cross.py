"""backtesting.py: one market, whole units only, so prices are scaled as its FractionalBacktest does."""

import warnings

import pandas as pd
from backtesting import Strategy
from backtesting.lib import FractionalBacktest
from report import Stopwatch, Trade, main, periods, read

FAST, SLOW = periods()
QUANTITY, FEE = 0.1, 0.001
_UNIT = 1e-4


def mean(values, period):
    return pd.Series(values).ewm(span=period, adjust=False).mean()


class Cross(Strategy):
    def init(self):
        self.fast = self.I(mean, self.data.Close, FAST)
        self.slow = self.I(mean, self.data.Close, SLOW)

    def next(self):
        above = self.fast[-1] > self.slow[-1]
        if above and not self.position:
            self.buy(size=round(QUANTITY / _UNIT))
        elif not above and self.position:
            self.position.close()


def run(path: str) -> tuple[int, float, list[Trade], int]:
    warnings.simplefilter("ignore")
    rows = read(path)
    frame = pd.DataFrame(
        [[*(float(price) for price in prices), 1.0] for _, *prices in rows],
        columns=["Open", "High", "Low", "Close", "Volume"],
        index=pd.to_datetime([row[0] for row in rows], unit="ms"),
    )
    backtest = FractionalBacktest(frame, Cross, cash=1_000_000, commission=FEE, fractional_unit=_UNIT)
    with Stopwatch() as watch:
        stats = backtest.run()
    trades = [
        (
            trade.EntryTime.value // 10**6,
            float(trade.EntryPrice),
            trade.ExitTime.value // 10**6,
            float(trade.ExitPrice),
        )
        for trade in stats["_trades"].itertuples()
    ]
    return len(rows), watch.seconds, trades, 2 * len(trades)


if __name__ == "__main__":
    main(run)

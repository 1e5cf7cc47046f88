"""backtrader: event by event (`runonce=False`), market orders at the next open."""

from datetime import UTC, datetime

import backtrader as bt
from report import Stopwatch, Trade, main, periods, read

FAST, SLOW = periods()
QUANTITY, FEE = 0.1, 0.001


class Cross(bt.Strategy):
    def __init__(self):
        self.fast = bt.indicators.EMA(period=FAST)
        self.slow = bt.indicators.EMA(period=SLOW)
        self.fills = []

    def next(self):
        above = self.fast[0] > self.slow[0]
        if above and not self.position:
            self.buy(size=QUANTITY)
        elif not above and self.position:
            self.sell(size=QUANTITY)

    def notify_order(self, order):
        if order.status == order.Completed:
            moment = bt.num2date(order.executed.dt)
            self.fills.append((round(moment.timestamp() * 1000), order.executed.price))


class Rows(bt.feed.DataBase):
    """Rows that are in memory already."""

    params = (("rows", ()),)

    def start(self):
        super().start()
        self._rows = iter(self.p.rows)

    def _load(self):
        row = next(self._rows, None)
        if row is None:
            return False
        for line, value in zip(("datetime", "open", "high", "low", "close"), row, strict=False):
            getattr(self.lines, line)[0] = value
        self.lines.volume[0] = 1.0
        self.lines.openinterest[0] = 0.0
        return True


def run(path: str) -> tuple[int, float, list[Trade], int]:
    rows = [
        (bt.date2num(datetime.fromtimestamp(ms / 1000, UTC)), *map(float, prices))
        for ms, *prices in read(path)
    ]
    cerebro = bt.Cerebro(stdstats=False, runonce=False)
    cerebro.adddata(Rows(rows=rows, timeframe=bt.TimeFrame.Minutes))
    cerebro.broker.setcash(1_000_000)
    cerebro.broker.setcommission(FEE)
    cerebro.addstrategy(Cross)
    with Stopwatch() as watch:
        (strategy,) = cerebro.run()
    pairs = zip(strategy.fills[::2], strategy.fills[1::2], strict=False)
    return len(rows), watch.seconds, [(*entry, *leave) for entry, leave in pairs], len(strategy.fills)


if __name__ == "__main__":
    main(run)

"""Whether two backtests traded alike: trades are the same when entry and exit are in the same candles."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks._crossover.candles import MINUTE_MS
from benchmarks._crossover.report import Trade


@dataclass(frozen=True, slots=True)
class Comparison:
    """`same` of `ours`; `before` and `elsewhere` are theirs that we do not have; `dearer` is how much worse
    our prices are on average, as a share, entry and exit together."""

    ours: int
    same: int
    before: int
    elsewhere: int
    dearer: float

    def __str__(self) -> str:
        return (
            f"{self.same} of {self.ours} trades in the same candles, {self.before} of theirs before our "
            f"first, {self.elsewhere} elsewhere; our prices cost {self.dearer * 1e4:+.2f} basis points more"
        )


def compare_trades(ours: Sequence[Trade], theirs: Sequence[Trade]) -> Comparison:
    """Theirs may begin earlier: what they traded while we warmed up is counted apart."""
    if not ours:
        return Comparison(0, 0, len(theirs), 0, 0.0)
    began = _candles(ours[0])
    known = {_candles(trade): trade for trade in theirs}
    pairs = [(trade, known[_candles(trade)]) for trade in ours if _candles(trade) in known]
    before = sum(_candles(trade) < began for trade in theirs)
    worse = [a[1] / b[1] - a[3] / b[3] for a, b in pairs]
    return Comparison(
        ours=len(ours),
        same=len(pairs),
        before=before,
        elsewhere=len(theirs) - before - len(pairs),
        dearer=sum(worse) / len(worse) if worse else 0.0,
    )


def _candles(trade: Trade) -> tuple[int, int]:
    return int(trade[0]) // MINUTE_MS, int(trade[2]) // MINUTE_MS

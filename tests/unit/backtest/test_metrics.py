"""Each figure against a second, obvious implementation."""

from __future__ import annotations

import random
import statistics
from decimal import Decimal

import pytest

from smarttrade.backtest import metrics

DAY_MS = 86_400_000


def curve(seed: int, count: int = 24 * 40) -> list[tuple[int, Decimal]]:
    draw, equity, points = random.Random(seed), 10_000.0, [(0, Decimal(10_000))]
    for hour in range(1, count + 1):
        equity *= 1 + draw.gauss(0.0001, 0.01)
        points.append((hour * 3_600_000, Decimal(equity).quantize(Decimal("0.01"))))
    return points


SEEDS = range(5)


def day_ends(points: list[tuple[int, Decimal]]) -> list[float]:
    last = int(points[-1][0] / DAY_MS)
    return [float(dict(points)[day * DAY_MS]) for day in range(last + 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_daily_returns(seed: int) -> None:
    ends = day_ends(curve(seed))
    expected = [ends[n] / ends[n - 1] - 1 for n in range(1, len(ends))]
    assert metrics.daily_returns(curve(seed)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_sharpe_and_sortino(seed: int) -> None:
    returns = metrics.daily_returns(curve(seed))
    mean = statistics.fmean(returns)
    assert metrics.sharpe(returns) == pytest.approx(mean / statistics.stdev(returns) * 365**0.5)
    below = statistics.fmean([each * each if each < 0 else 0.0 for each in returns]) ** 0.5
    assert metrics.sortino(returns) == pytest.approx(mean / below * 365**0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawdown(seed: int) -> None:
    points = curve(seed)
    values = [float(equity) for _, equity in points]
    depth = max(1 - values[n] / max(values[: n + 1]) for n in range(len(values)))
    longest = 0
    for n, (time_ms, equity) in enumerate(points):
        peak_ms = max((e, t) for t, e in points[: n + 1])[1]
        under = equity < max(e for _, e in points[: n + 1])
        recovers = n > 0 and points[n - 1][1] < max(e for _, e in points[:n]) and not under
        if under:
            longest = max(longest, time_ms - peak_ms)
        elif recovers:
            longest = max(longest, time_ms - max((e, t) for t, e in points[:n])[1])
    found = metrics.drawdown(points)
    assert found.depth == pytest.approx(depth)
    assert found.longest_ms == longest


@pytest.mark.parametrize("seed", SEEDS)
def test_growth_and_calmar(seed: int) -> None:
    points = curve(seed)
    years = (points[-1][0] - points[0][0]) / DAY_MS / 365
    expected = float(points[-1][1] / points[0][1]) ** (1 / years) - 1
    assert metrics.cagr(points) == pytest.approx(expected)
    assert metrics.calmar(expected, 0.2) == pytest.approx(expected / 0.2)


def test_profit_factor_and_expectancy() -> None:
    profits = [Decimal(each) for each in ("5", "-2", "3.5", "-1", "0")]
    assert metrics.profit_factor(profits) == pytest.approx(8.5 / 3)
    assert metrics.expectancy(profits) == Decimal("1.1")


def test_exposure_counts_candles_with_more_than_dust() -> None:
    assert metrics.exposure([Decimal(0), Decimal("0.4"), Decimal(50), Decimal(60)]) == 0.5


def test_too_little_says_nothing() -> None:
    short = [(0, Decimal(1)), (1, Decimal(2))]
    assert metrics.cagr(short) is None
    assert metrics.sharpe([0.1]) is None
    assert metrics.sortino([0.1, 0.2]) is None
    assert metrics.calmar(None, 0.1) is None
    assert metrics.profit_factor([Decimal(1)]) is None


def test_ruin_is_a_growth_of_minus_one() -> None:
    assert metrics.cagr([(0, Decimal(5)), (2 * DAY_MS, Decimal(0))]) == -1.0

"""Each figure against a second, obvious implementation."""

from __future__ import annotations

import random
import statistics
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from smarttrade.backtest import metrics
from smarttrade.backtest.curve import EquityCurve
from smarttrade.backtest.metrics import Curve

DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def walk(seed: int, count: int = 24 * 40) -> list[tuple[int, Decimal]]:
    draw, equity, points = random.Random(seed), 10_000.0, [(0, Decimal(10_000))]
    for hour in range(1, count + 1):
        equity *= 1 + draw.gauss(0.0001, 0.01)
        points.append((hour * HOUR_MS, Decimal(equity).quantize(Decimal("0.01"))))
    return points


def curve(points: list[tuple[int, Decimal]]) -> Curve:
    return Curve([time for time, _ in points], [level for _, level in points])


SEEDS = range(5)


def changes(levels: list[float]) -> list[float]:
    return [levels[n] / levels[n - 1] - 1 for n in range(1, len(levels))]


@pytest.mark.parametrize("seed", SEEDS)
def test_daily_returns(seed: int) -> None:
    points = walk(seed)
    ends = [float(dict(points)[day * DAY_MS]) for day in range(points[-1][0] // DAY_MS + 1)]
    assert metrics.daily_returns(curve(points)) == pytest.approx(changes(ends))


@pytest.mark.parametrize("seed", SEEDS)
def test_monthly_returns(seed: int) -> None:
    points = walk(seed, 24 * 75)
    first_of = {"1970-01": 0, "1970-02": 31, "1970-03": 59}
    levels = [float(dict(points)[day * DAY_MS]) for day in first_of.values()] + [float(points[-1][1])]
    found = metrics.monthly_returns(curve(points))
    assert [month for month, _ in found] == list(first_of)
    assert [change for _, change in found] == pytest.approx(changes(levels))


@pytest.mark.parametrize("seed", SEEDS)
def test_monthly_returns_multiply_to_the_whole(seed: int) -> None:
    start_ms = int(datetime(2023, 11, 17, tzinfo=UTC).timestamp() * 1000)
    points = [(start_ms + time, level) for time, level in walk(seed, 24 * 120)]
    growth = 1.0
    for _, change in metrics.monthly_returns(curve(points)):
        growth *= 1 + change
    assert growth == pytest.approx(float(points[-1][1] / points[0][1]))


@pytest.mark.parametrize("seed", SEEDS)
def test_sharpe_and_sortino(seed: int) -> None:
    returns = metrics.daily_returns(curve(walk(seed)))
    mean = statistics.fmean(returns)
    assert metrics.sharpe(returns) == pytest.approx(mean / statistics.stdev(returns) * 365**0.5)
    below = statistics.fmean([each * each if each < 0 else 0.0 for each in returns]) ** 0.5
    assert metrics.sortino(returns) == pytest.approx(mean / below * 365**0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawdown(seed: int) -> None:
    points = walk(seed)
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
    found = metrics.drawdown(curve(points))
    assert found.depth == pytest.approx(depth)
    assert found.longest_ms == longest


@pytest.mark.parametrize("seed", SEEDS)
def test_growth_and_calmar(seed: int) -> None:
    points = walk(seed)
    years = (points[-1][0] - points[0][0]) / DAY_MS / 365
    expected = float(points[-1][1] / points[0][1]) ** (1 / years) - 1
    assert metrics.cagr(curve(points)) == pytest.approx(expected)
    assert metrics.calmar(expected, 0.2) == pytest.approx(expected / 0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_unit_of_the_levels_does_not_matter(seed: int) -> None:
    points, kept = walk(seed), EquityCurve()
    for time_ms, equity in points:
        kept.add(time_ms, equity, Decimal(0))
    counted = Curve(kept.times, kept.equity)
    assert metrics.daily_returns(counted) == pytest.approx(metrics.daily_returns(curve(points)))
    assert metrics.drawdown(counted).depth == pytest.approx(metrics.drawdown(curve(points)).depth)
    assert metrics.cagr(counted) == pytest.approx(metrics.cagr(curve(points)))


def test_profit_factor_and_expectancy() -> None:
    profits = [Decimal(each) for each in ("5", "-2", "3.5", "-1", "0")]
    assert metrics.profit_factor(profits) == pytest.approx(8.5 / 3)
    assert metrics.expectancy(profits) == Decimal("1.1")


def test_turnover_is_what_was_traded_over_the_mean_equity() -> None:
    levels = [float(level) for _, level in walk(3)]
    assert metrics.turnover(5_000, levels) == pytest.approx(5_000 / statistics.fmean(levels))


def test_exposure_counts_candles_with_more_than_dust() -> None:
    assert metrics.exposure([Decimal(0), Decimal("0.4"), Decimal(50), Decimal(60)], 0.5) == 0.5


def test_too_little_says_nothing() -> None:
    assert metrics.cagr(Curve([0, 1], [1, 2])) is None
    assert metrics.sharpe([0.1]) is None
    assert metrics.sortino([0.1, 0.2]) is None
    assert metrics.calmar(None, 0.1) is None
    assert metrics.profit_factor([Decimal(1)]) is None


def test_ruin_is_a_growth_of_minus_one() -> None:
    assert metrics.cagr(Curve([0, 2 * DAY_MS], [5, 0])) == -1.0

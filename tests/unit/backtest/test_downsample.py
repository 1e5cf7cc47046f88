from __future__ import annotations

import random

import pytest

from smarttrade.backtest.report.downsample import Series, bucketed, downsample


def walk(count: int, seed: int = 1) -> Series:
    draw, value, values = random.Random(seed), 0.0, []
    for _ in range(count):
        value += draw.gauss(0, 1)
        values.append(value)
    return Series(range(count), values)


def reference_lttb(series: Series, count: int) -> list[int]:
    """As the thesis has it, with the areas from the corners' coordinates."""
    points = list(zip(*series, strict=True))
    inner, buckets = len(points) - 2, []
    for number in range(count - 2):
        first, beyond = number * inner // (count - 2), (number + 1) * inner // (count - 2)
        buckets.append(range(1 + first, 1 + beyond))
    chosen = [0]
    for number, bucket in enumerate(buckets):
        later = buckets[number + 1] if number + 1 < len(buckets) else [len(points) - 1]
        c = [sum(points[n][axis] for n in later) / len(later) for axis in (0, 1)]
        a = points[chosen[-1]]

        def area(n: int, a: tuple[float, float] = a, c: list[float] = c) -> float:
            b = points[n]
            return abs(a[0] * (b[1] - c[1]) + b[0] * (c[1] - a[1]) + c[0] * (a[1] - b[1])) / 2

        chosen.append(max(bucket, key=area))
    return [*chosen, len(points) - 1]


@pytest.mark.parametrize("seed", range(5))
def test_few_points_are_chosen_by_largest_triangles(seed: int) -> None:
    series = walk(300, seed)
    assert list(downsample(series, 60).times) == reference_lttb(series, 60)


def test_many_points_keep_the_ends_the_order_and_the_extremes_nearly() -> None:
    series = walk(50_000)
    thin = downsample(series, 500)
    assert len(thin.times) == 500
    assert list(thin.times) == sorted(set(thin.times))
    assert (thin.times[0], thin.times[-1]) == (0, 49_999)
    reach = max(series.values) - min(series.values)
    assert max(series.values) - max(thin.values) < 0.02 * reach
    assert min(thin.values) - min(series.values) < 0.02 * reach
    assert all(series.values[time] == value for time, value in zip(*thin, strict=True))


def test_few_enough_points_stay_as_they_are() -> None:
    assert downsample(walk(100), 100) == walk(100)


def test_buckets_keep_every_trough() -> None:
    series = walk(10_000)
    thin = bucketed(series, 100, min)
    assert len(thin.times) == 100
    assert thin.times[-1] == 9_999
    assert list(thin.values) == [min(series.values[n : n + 100]) for n in range(0, 10_000, 100)]

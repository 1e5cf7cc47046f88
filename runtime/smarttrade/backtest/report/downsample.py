"""Fewer points that look the same, because a screen has 2,000 columns and a year half a million minutes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

_CANDIDATES = 4


class Series(NamedTuple):
    """Times in ms, ascending, and a value for each."""

    times: Sequence[int]
    values: Sequence[float]


def downsample(series: Series, count: int) -> Series:
    """At most `count` (at least 3) points, first and last among them, that keep the line's shape.

    MinMaxLTTB: the extremes of four buckets a point are preselected, and Largest-Triangle-Three-Buckets
    chooses among them. Sources: S. Steinarsson, "Downsampling Time Series for Visual Representation"
    (University of Iceland, 2013); J. Van Der Donckt et al., "MinMaxLTTB: Leveraging MinMax-Preselection to
    Scale LTTB" (IEEE VIS 2023).
    """
    if len(series.times) <= count:
        return series
    if len(series.times) > count * _CANDIDATES * 2:
        series = _extremes(series, count * _CANDIDATES // 2)
    return _largest_triangles(series, count)


def bucketed(series: Series, count: int, reduce: Callable[[Sequence[float]], float]) -> Series:
    """At most `count` buckets of equally many points: the time of each one's end, and `reduce` of its values.
    `min` keeps every trough of a drawdown, a mean keeps the share of the time."""
    length = len(series.times)
    if length <= count:
        return series
    bounds = list(_bounds(0, length, count))
    return Series(
        [series.times[end - 1] for _, end in bounds],
        [reduce(series.values[begin:end]) for begin, end in bounds],
    )


def _bounds(begin: int, end: int, count: int) -> Iterable[tuple[int, int]]:
    length = end - begin
    for number in range(count):
        yield begin + number * length // count, begin + (number + 1) * length // count


def _extremes(series: Series, buckets: int) -> Series:
    """First, last, and the lowest and highest point of every bucket, in time."""
    values = series.values
    kept = {0, len(values) - 1}
    for begin, end in _bounds(0, len(values), buckets):
        part = values[begin:end]
        for extreme in (min(part), max(part)):
            kept.add(begin + part.index(extreme))
    return _at(series, sorted(kept))


def _at(series: Series, indexes: Iterable[int]) -> Series:
    kept = list(indexes)
    return Series([series.times[n] for n in kept], [series.values[n] for n in kept])


def _largest_triangles(series: Series, count: int) -> Series:
    """Of each bucket the point that spans the largest triangle with the one chosen before and the mean of the
    next bucket."""
    times, values = series
    last = len(times) - 1
    buckets = [*_bounds(1, last, count - 2), (last, last + 1)]
    chosen = [0]
    for (begin, end), (following, beyond) in itertools.pairwise(buckets):
        mean_time = sum(times[following:beyond]) / (beyond - following)
        mean_value = sum(values[following:beyond]) / (beyond - following)
        time, value = times[chosen[-1]], values[chosen[-1]]
        slope_time, slope_value = time - mean_time, mean_value - value
        areas = [
            abs(slope_time * (values[n] - value) - (time - times[n]) * slope_value) for n in range(begin, end)
        ]
        chosen.append(begin + areas.index(max(areas)))
    return _at(series, [*chosen, last])

"""Where the lines of a chart's grid are, and what is written at them.

`report.js` has the same rules, for the part of a chart that was zoomed into.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
_STEPS_MS = (
    *(n * _MINUTE_MS for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR_MS for n in (1, 2, 3, 6, 12)),
    *(n * _DAY_MS for n in (1, 2, 4, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60)


def value_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values within the range, about `count` of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def value_label(value: float, kind: str, span: float) -> str:
    """`kind` is percent or money; as many decimals as tell the lines of a span apart."""
    if kind == "percent":
        return f"{value:.{_decimals(span * 100)}%}"
    if kind == "count":
        return f"{value:,.0f}" if value == int(value) else ""
    return f"{value:,.{_decimals(span)}f}"


def _decimals(span: float) -> int:
    return max(0, min(10, 1 - math.floor(math.log10(span)))) if span > 0 else 2


def time_ticks(start_ms: int, end_ms: int, count: int = 8) -> list[tuple[int, str]]:
    """Round instants (UTC) within the range, each with its label."""
    rough = (end_ms - start_ms) / count
    step = next((step for step in _STEPS_MS if step >= rough), None)
    if step is None:
        return [(time, _label(time, _MONTHS[0])) for time in _months(start_ms, end_ms, rough)]
    first = -(-start_ms // step) * step
    return [(time, _label(time, step)) for time in range(first, end_ms + 1, step)]


def _months(start_ms: int, end_ms: int, rough: float) -> Iterator[int]:
    step = next((n for n in _MONTHS if n * 30.4 * _DAY_MS >= rough), _MONTHS[-1])
    begin = datetime.fromtimestamp(start_ms / 1000, UTC)
    number = begin.year * 12 + begin.month - 1
    number += -number % step
    while True:
        time = int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if time > end_ms:
            return
        if time >= start_ms:
            yield time
        number += step


def _label(time_ms: int, step_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    if step_ms in _MONTHS:
        return f"{moment:%b %Y}"
    if time_ms % _DAY_MS == 0 or step_ms >= _DAY_MS:
        return f"{moment.day} {moment:%b}"
    return f"{moment:%H:%M}"

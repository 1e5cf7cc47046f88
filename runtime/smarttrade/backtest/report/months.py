"""Monthly returns as a table of years."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from smarttrade.backtest.report.html import Html, element, table

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL = 0.10


def build_months(monthly: Iterable[Sequence[object]]) -> Html:
    """One row a year with its months and their compound; `monthly` is [("2022-01", 0.013), ...]. The colour
    is at its strongest from 10 % on."""
    returns = {str(month): float(str(change)) for month, change in monthly}
    years = sorted({month[:4] for month in returns})
    rows = [
        [
            year,
            *(_cell(returns.get(f"{year}-{number:02d}")) for number in range(1, 13)),
            _cell(_year(returns, year)),
        ]
        for year in years
    ]
    return table(["", *_NAMES, "Year"], rows, class_="months")


def _year(returns: dict[str, float], year: str) -> float:
    return math.prod(1 + change for month, change in returns.items() if month.startswith(year)) - 1


def _cell(change: float | None) -> Html:
    if change is None:
        return element("td", "")
    change = round(change, 4)
    strength = min(1.0, abs(change) / _FULL) ** 0.5
    tone = "gain" if change > 0 else "loss" if change < 0 else None
    return element(
        "td", f"{change:+.2%}" if change else "0.00%", class_=tone, style=f"--strength:{strength:.0%}"
    )

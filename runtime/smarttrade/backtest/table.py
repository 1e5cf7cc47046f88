"""The result as a table for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

_ROWS = (
    ("equity at the end", "equity_end", "money"),
    ("return", "return", "percent"),
    ("CAGR", "cagr", "percent"),
    ("Sharpe (daily, x sqrt 365)", "sharpe", "ratio"),
    ("Sortino", "sortino", "ratio"),
    ("Calmar", "calmar", "ratio"),
    ("maximum drawdown", "max_drawdown", "percent"),
    ("longest drawdown", "max_drawdown_seconds", "time"),
    ("profit factor", "profit_factor", "ratio"),
    ("expectancy a trade", "expectancy", "money"),
    ("turnover (x mean equity)", "turnover", "ratio"),
    ("fees", "fees", "money"),
    ("exposure (time)", "exposure", "percent"),
    ("trades", "trades", "count"),
    ("still open", "open_trades", "count"),
    ("orders", "orders", "count"),
    ("denials", "denials", "count"),
)


def build_table(document: dict[str, Any]) -> Table:
    """One row a figure."""
    title = f"{document['account']}: {document['strategy']} on {', '.join(document['markets'])}"
    caption = f"{document['from']} to {document['to']}, {document['timeframe']} candles"
    table = Table("figure", "", title=title, caption=caption)
    table.columns[1].justify = "right"
    for label, key, kind in _ROWS:
        table.add_row(label, render(document["metrics"][key], kind, document["currency"]))
    return table


def print_result(document: dict[str, Any], console: Console | None = None) -> None:
    console = console or Console()
    console.print(build_table(document))
    if document["denials"]:
        told = ", ".join(f"{code} {count}" for code, count in document["denials"].items())
        console.print(f"denied or rejected: {told}")
    assumed = document["assumptions"]
    console.print(
        f"fees {assumed['maker_fee']} maker, {assumed['taker_fee']} taker; spread {assumed['spread']}, "
        f"slippage {assumed['slippage']}, latency {assumed['latency_ms']} ms, seed {assumed['seed']}"
    )
    console.print(f"fill model: {assumed['fill_model']}")


def render(value: Any, kind: str, currency: str) -> str:
    """A figure as people read it; a dash where there is none."""
    if value is None:
        return "-"
    if kind == "percent":
        return f"{value:.2%}"
    if kind == "ratio":
        return f"{value:.2f}"
    if kind == "money":
        return f"{float(value):,.2f} {currency}"
    if kind == "time":
        days, rest = divmod(int(value), 86_400)
        return f"{days} d {rest // 3600:02d}:{rest % 3600 // 60:02d}"
    return f"{value:,}"

"""The result as a table for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from smarttrade.backtest.figures import FIGURES, render

_DENIALS = 5
"""How many kinds of denials are shown, the most frequent ones."""


def build_table(document: dict[str, Any]) -> Table:
    """One row a figure."""
    title = f"{document['account']}: {document['strategy']} on {', '.join(document['markets'])}"
    caption = f"{document['from']} to {document['to']}, {document['timeframe']} candles"
    table = Table("figure", "", title=title, caption=caption)
    table.columns[1].justify = "right"
    for figure in FIGURES:
        value = document["metrics"][figure.key]
        table.add_row(figure.label, render(value, figure.kind, document["currency"]))
    return table


def print_result(document: dict[str, Any], console: Console | None = None) -> None:
    console = console or Console()
    console.print(build_table(document))
    for each in document["denied"][:_DENIALS]:
        when = f"{each['count']} times in {each['market']}, {each['first']} to {each['last']}"
        console.print(f"denied or rejected: {each['code']} {when}: {each['message']}", markup=False)
    assumed = document["assumptions"]
    console.print(
        f"fees {assumed['maker_fee']} maker, {assumed['taker_fee']} taker; spread {assumed['spread']}, "
        f"slippage {assumed['slippage']}, latency {assumed['latency_ms']} ms, seed {assumed['seed']}"
    )
    console.print(f"fill model: {assumed['fill_model']}")

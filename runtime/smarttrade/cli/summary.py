"""`smarttrade status`: an account's object as a person wants to see it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

_FIGURES = {
    "equity": "Equity",
    "realizedPnl": "Realised PnL",
    "unrealizedPnl": "Unrealised PnL",
    "fills": "Fills",
    "openOrders": "Open orders",
    "unknownOrders": "Unknown orders",
    "asOf": "As of",
}


def print_status(account: dict[str, Any], console: Console | None = None) -> None:
    """Print figures, positions and conditions."""
    console = console or Console()
    console.print(build_overview(account))
    status = account.get("status", {})
    if status.get("positions"):
        console.print(build_table("Positions", status["positions"]))
    if status.get("conditions"):
        console.print(build_conditions(status["conditions"]))


def build_overview(account: dict[str, Any]) -> Table:
    meta, spec, status = account["metadata"], account["spec"], account.get("status", {})
    table = Table(title=f"{meta['namespace']}/{meta['name']}", show_header=False)
    table.add_row(
        "State", f"{status.get('effectiveState', 'not reported yet')} (asked: {spec.get('state', 'Active')})"
    )
    table.add_row("Phase", status.get("phase", "-"))
    table.add_row("Mode", spec.get("mode", "Paper"))
    table.add_row("Leader", status.get("leader") or "nobody")
    for key, title in _FIGURES.items():
        if key in status:
            table.add_row(title, str(status[key]))
    if status.get("breach"):
        breach = status["breach"]
        table.add_row("Breach", f"{breach.get('reason')} at {breach.get('time')}, id {breach.get('id')}")
    return table


def build_table(title: str, rows: list[dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    return table


def build_conditions(conditions: list[dict[str, Any]]) -> Table:
    table = Table("Condition", "Status", "Reason", "Message", title="Conditions")
    for condition in conditions:
        table.add_row(
            condition["type"], condition["status"], condition.get("reason", ""), condition.get("message", "")
        )
    return table

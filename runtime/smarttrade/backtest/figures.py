"""The figures of a result in the order in which they are shown, and how people read them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Figure(NamedTuple):
    """`key` in the document's metrics; `kind` decides how the value is written."""

    label: str
    key: str
    kind: str
    meaning: str


FIGURES = (
    Figure("equity at the end", "equity_end", "money", "cash, and what is held at the bid of the last close"),
    Figure("return", "return", "percent", "of the allocation"),
    Figure("CAGR", "cagr", "percent", "compound growth a year of 365 days; a short span says little"),
    Figure("Sharpe", "sharpe", "ratio", "mean over deviation of daily returns (UTC), times the root of 365"),
    Figure("Sortino", "sortino", "ratio", "the same over the deviation below zero"),
    Figure("Calmar", "calmar", "ratio", "CAGR over maximum drawdown"),
    Figure("max drawdown", "max_drawdown", "percent", "deepest fall below a former peak, at candle closes"),
    Figure("longest drawdown", "max_drawdown_seconds", "time", "longest time below a former peak"),
    Figure("profit factor", "profit_factor", "ratio", "gains over losses of the closed trades, after fees"),
    Figure("expectancy", "expectancy", "money", "mean profit of a closed trade, after fees"),
    Figure("winning trades", "win_rate", "percent", "of the closed ones"),
    Figure("turnover", "turnover", "ratio", "bought and sold notional over mean equity"),
    Figure("fees", "fees", "money", "of all fills; in a base asset, at the fill's price"),
    Figure("exposure", "exposure", "percent", "share of the candles at whose end a position was held"),
    Figure("trades", "trades", "count", "round trips from flat to flat in one market"),
    Figure("still open", "open_trades", "count", "trades that had not ended with the data"),
    Figure("orders", "orders", "count", "sent to the exchange"),
    Figure("fills", "fills", "count", "executions of these orders"),
    Figure("decisions", "decisions", "count", "that the strategy made"),
    Figure("denials", "denials", "count", "decisions that risk denied or the exchange refused"),
)


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

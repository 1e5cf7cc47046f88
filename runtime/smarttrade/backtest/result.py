"""What one backtest recorded, and the plain document that is made of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from smarttrade.api import TradingAccount
from smarttrade.backtest import metrics
from smarttrade.backtest.exchange import FILL_MODEL
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.trips import Trip, build_trips
from smarttrade.exchange.reports import MarketFilters
from smarttrade.messages import Decision, DecisionOutcome, DecisionReply, Fill, Outcome


@dataclass(frozen=True, slots=True)
class Point:
    """The account at the end of one base candle; money in `capital.currency`."""

    time_ms: int
    equity: Decimal
    invested: Decimal


@dataclass(slots=True, kw_only=True)
class Recorded:
    """Everything that a run produced, in order."""

    account: TradingAccount
    start_ms: int
    filters: dict[str, MarketFilters]
    points: list[Point] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    outcomes: list[DecisionOutcome] = field(default_factory=list)
    refused: dict[str, DecisionReply] = field(default_factory=dict)
    orders: int = 0

    def denied(self, reply: DecisionReply) -> None:
        """A decision that was refused at the door, or by risk."""
        self.refused[reply.id] = reply

    def denials(self) -> dict[str, int]:
        """How many decisions risk denied or the exchange rejected, by code."""
        codes = {each.id: each.code for each in self.refused.values()}
        for outcome in self.outcomes:
            if outcome.outcome in (Outcome.DENIED, Outcome.REJECTED):
                codes[outcome.id] = outcome.code
        return dict(sorted(Counter(codes.values()).items()))

    def trips(self) -> list[Trip]:
        return build_trips(self.fills, {market: rules.lot for market, rules in self.filters.items()})


def build_document(
    recorded: Recorded, assumptions: Assumptions, fill_model: str = FILL_MODEL
) -> dict[str, Any]:
    """Money as decimal strings in the account's currency, ratios as numbers, times as ISO text in UTC."""
    spec, trips = recorded.account.spec, recorded.trips()
    metadata = recorded.account.metadata
    return {
        "account": f"{metadata.get('namespace', 'default')}/{metadata['name']}",
        "strategy": spec.strategy.name or (spec.strategy.source.class_name if spec.strategy.source else ""),
        "markets": [market.symbol for market in spec.markets],
        "timeframe": spec.strategy.timeframe.value,
        "currency": spec.capital.currency,
        "from": moment(recorded.start_ms),
        "to": moment(recorded.points[-1].time_ms),
        "assumptions": {
            "fill_model": fill_model,
            **{
                name: value if isinstance(value, int) else str(value)
                for name, value in asdict(assumptions).items()
            },
        },
        "metrics": build_metrics(recorded, trips),
        "denials": recorded.denials(),
        "trips": [trip.document() for trip in trips],
        "equity": [[point.time_ms, str(point.equity)] for point in recorded.points],
    }


def build_metrics(recorded: Recorded, trips: list[Trip]) -> dict[str, Any]:
    """Every figure of the report; None where there is too little to say it."""
    allocation = recorded.account.spec.capital.allocation
    curve = [(recorded.start_ms, allocation), *((point.time_ms, point.equity) for point in recorded.points)]
    returns = metrics.daily_returns(curve)
    drawdown = metrics.drawdown(curve)
    cagr = metrics.cagr(curve)
    closed = [trip.profit for trip in trips if trip.closed]
    traded = sum((fill.price * fill.quantity for fill in recorded.fills), Decimal(0))
    equities = [equity for _, equity in curve]
    return {
        "equity_start": str(curve[0][1]),
        "equity_end": str(curve[-1][1]),
        "return": float(curve[-1][1] / curve[0][1] - 1),
        "cagr": cagr,
        "sharpe": metrics.sharpe(returns),
        "sortino": metrics.sortino(returns),
        "calmar": metrics.calmar(cagr, drawdown.depth),
        "max_drawdown": drawdown.depth,
        "max_drawdown_seconds": drawdown.longest_ms // 1000,
        "profit_factor": metrics.profit_factor(closed),
        "expectancy": None if not closed else str(metrics.expectancy(closed)),
        "turnover": float(traded / (sum(equities, Decimal(0)) / len(equities))),
        "fees": str(sum((trip.fees for trip in trips), Decimal(0))),
        "exposure": metrics.exposure([point.invested for point in recorded.points]),
        "trades": len(closed),
        "open_trades": len(trips) - len(closed),
        "orders": recorded.orders,
        "fills": len(recorded.fills),
        "decisions": len(recorded.decisions),
        "denials": sum(recorded.denials().values()),
        "bars": len(recorded.points),
    }


def moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")

"""What one backtest recorded, and the plain document that is made of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from smarttrade.api import TradingAccount
from smarttrade.backtest import metrics
from smarttrade.backtest.curve import EquityCurve, Point
from smarttrade.backtest.denials import Denial, DenialGroup, find_denials, group_denials
from smarttrade.backtest.exchange import FILL_MODEL
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.repeats import Decisions, Outcomes
from smarttrade.backtest.trips import Trip, build_trips
from smarttrade.evaluation.loading import strategy_name
from smarttrade.exchange.reports import MarketFilters
from smarttrade.messages import DecisionReply, Fill

__all__ = ["Point", "Recorded", "build_document", "build_metrics", "moment"]


@dataclass(slots=True, kw_only=True)
class Recorded:
    """Everything that a run produced, in order."""

    account: TradingAccount
    start_ms: int
    filters: dict[str, MarketFilters]
    decisions: Decisions
    outcomes: Outcomes
    points: EquityCurve = field(default_factory=EquityCurve)
    fills: list[Fill] = field(default_factory=list)
    refused: dict[str, DecisionReply] = field(default_factory=dict)
    orders: int = 0
    fill_model: str = FILL_MODEL

    def denied(self, reply: DecisionReply) -> None:
        """A decision that was refused at the door, or by risk."""
        self.refused[reply.id] = reply

    def denials(self) -> list[Denial]:
        """Decisions that risk denied or the exchange rejected, in time."""
        return find_denials(self.decisions, self.refused, self.outcomes.told)

    def trips(self) -> list[Trip]:
        return build_trips(self.fills, {market: rules.lot for market, rules in self.filters.items()})

    def curve(self) -> metrics.Curve:
        """Equity from the first moment on, in units of `points`."""
        first = int(self.account.spec.capital.allocation / self.points.unit)
        return metrics.Curve([self.start_ms, *self.points.times], [first, *self.points.equity])


def build_document(
    recorded: Recorded, assumptions: Assumptions, fill_model: str | None = None
) -> dict[str, Any]:
    """Money as decimal strings in the account's currency, ratios as numbers, times as ISO text in UTC."""
    spec, trips, denials = recorded.account.spec, recorded.trips(), recorded.denials()
    curve = recorded.curve()
    return {
        "account": f"{recorded.account.namespace}/{recorded.account.name}",
        "strategy": strategy_name(spec.strategy),
        "parameters": dict(spec.strategy.parameters),
        "markets": [market.symbol for market in spec.markets],
        "timeframe": spec.strategy.timeframe.value,
        "currency": spec.capital.currency,
        "from": moment(recorded.start_ms),
        "to": moment(recorded.points.times[-1]),
        "assumptions": build_assumptions(assumptions, fill_model or recorded.fill_model),
        "metrics": build_metrics(recorded, trips, curve, len(denials)),
        "monthly": [list(each) for each in metrics.monthly_returns(curve)],
        "denials": dict(sorted(Counter(denial.code for denial in denials).items())),
        "denied": [build_denied(group) for group in group_denials(denials)],
        "trips": [trip.document() for trip in trips],
    }


def build_equity(recorded: Recorded) -> list[list[Any]]:
    """The whole equity curve as [time in ms, decimal string], for the file that has everything."""
    points = recorded.points
    return [[time_ms, points.text(count)] for time_ms, count in zip(points.times, points.equity, strict=True)]


def build_assumptions(assumptions: Assumptions, fill_model: str) -> dict[str, Any]:
    told = {
        name: value if isinstance(value, int) else str(value) for name, value in asdict(assumptions).items()
    }
    return {"fill_model": fill_model, **told}


def build_denied(group: DenialGroup) -> dict[str, Any]:
    return {
        "code": group.code,
        "market": group.market,
        "count": group.count,
        "first": moment(group.first_ms),
        "last": moment(group.last_ms),
        "message": group.message,
    }


def build_metrics(
    recorded: Recorded, trips: list[Trip], curve: metrics.Curve, denials: int
) -> dict[str, Any]:
    """Every figure of the report; None where there is too little to say it."""
    points, unit = recorded.points, recorded.points.unit
    returns = metrics.daily_returns(curve)
    drawdown = metrics.drawdown(curve)
    cagr = metrics.cagr(curve)
    closed = [trip.profit for trip in trips if trip.closed]
    traded = sum((fill.price * fill.quantity for fill in recorded.fills), Decimal(0))
    return {
        "equity_start": str(recorded.account.spec.capital.allocation),
        "equity_end": f"{points[-1].equity:f}",
        "return": curve.levels[-1] / curve.levels[0] - 1,
        "cagr": cagr,
        "sharpe": metrics.sharpe(returns),
        "sortino": metrics.sortino(returns),
        "calmar": metrics.calmar(cagr, drawdown.depth),
        "max_drawdown": drawdown.depth,
        "max_drawdown_seconds": drawdown.longest_ms // 1000,
        "profit_factor": metrics.profit_factor(closed),
        "expectancy": None if not closed else str(metrics.expectancy(closed)),
        "win_rate": None if not closed else sum(profit > 0 for profit in closed) / len(closed),
        "turnover": metrics.turnover(float(traded / unit), curve.levels),
        "fees": str(sum((trip.fees for trip in trips), Decimal(0))),
        "exposure": metrics.exposure(points.invested, float(find_dust(recorded) / unit)),
        "trades": len(closed),
        "open_trades": len(trips) - len(closed),
        "orders": recorded.orders,
        "fills": len(recorded.fills),
        "decisions": len(recorded.decisions),
        "denials": denials,
        "bars": len(points),
    }


def find_dust(recorded: Recorded) -> Decimal:
    """What one lot in each market that was traded was worth at most."""
    highest: dict[str, Decimal] = {}
    for fill in recorded.fills:
        highest[fill.market] = max(fill.price, highest.get(fill.market, Decimal(0)))
    return sum((recorded.filters[market].lot * price for market, price in highest.items()), Decimal(0))


def moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")

"""Compares what an account did with what a backtest of the same events does: decision by decision.

Ids of decisions derive from account and event, so both have the same. In lock-step everything must be equal;
free-running, prices and times of fills differ by what the market did while an order was on its way, and where
the account was too late the next decision for the same did it: that is told and not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from smarttrade.messages import Fill, Side


@dataclass(frozen=True, slots=True)
class Done:
    """What the fills of one decision came to on one side; `time_ms` of the first."""

    decision_id: str
    market: str
    side: Side
    quantity: Decimal
    spent: Decimal
    fees: Decimal
    time_ms: int

    @property
    def price(self) -> Decimal:
        """Mean price of the fills."""
        return self.spent / self.quantity


@dataclass(frozen=True, slots=True)
class Difference:
    """The same change of position, as the account made it and as a backtest did."""

    account: Done
    backtest: Done

    @property
    def later_ms(self) -> int:
        """How much later the backtest filled; below zero is earlier."""
        return self.backtest.time_ms - self.account.time_ms

    @property
    def dearer(self) -> Decimal:
        """How much more the backtest paid, or less received, as a share of the price."""
        worse = self.backtest.price / self.account.price - 1
        return worse if self.account.side is Side.BUY else -worse


def build_done(fills: Iterable[Fill]) -> list[Done]:
    """In the order of first fills."""
    decisions: dict[tuple[str, Side], list[Fill]] = {}
    for fill in fills:
        decisions.setdefault((fill.decision_id, fill.side), []).append(fill)
    return [
        Done(
            decision_id=decision,
            market=parts[0].market,
            side=side,
            quantity=sum((part.quantity for part in parts), Decimal(0)),
            spent=sum((part.quantity * part.price for part in parts), Decimal(0)),
            fees=sum((part.fee for part in parts), Decimal(0)),
            time_ms=parts[0].time_ms,
        )
        for (decision, side), parts in decisions.items()
    ]


def compare_fills(account: Sequence[Done], backtest: Sequence[Done]) -> list[Difference]:
    """The n-th of the one against the n-th of the other, where decision, time or price differ."""
    return [
        Difference(mine, other)
        for mine, other in zip(account, backtest, strict=False)
        if (mine.decision_id, mine.time_ms, mine.price) != (other.decision_id, other.time_ms, other.price)
    ]

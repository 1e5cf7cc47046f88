"""Exits as decisions of our own: a target of nothing, worked like any other, logged like any other."""

from __future__ import annotations

from decimal import Decimal

from smarttrade.execution.snapshot import HighWater
from smarttrade.identity import AccountIdentity, stable_hash
from smarttrade.messages import Decision, OrderStyle, Target

FLATTEN_STRATEGY = "smarttrade/flatten"
PROTECTION_STRATEGY = "smarttrade/protection"
_REASONS = {
    FLATTEN_STRATEGY: "the account is being flattened",
    PROTECTION_STRATEGY: "a protective price was reached that no order waited for",
}
FOREVER_MS = 253_402_300_799_000


def build_exit(
    account: AccountIdentity,
    market: str,
    exchange_ms: int,
    before: HighWater | None,
    generation: int,
    *,
    strategy: str = FLATTEN_STRATEGY,
    limit: Decimal | None = None,
) -> Decision:
    """Sell what the ledger holds, not below `limit`. `before` is the exit of that strategy before this one,
    above which this one counts.

    Two exits may begin within one millisecond, and the exchange's clock may step back between them.
    """
    exchange_ms = max(exchange_ms, before.event_time_ms) if before else exchange_ms
    ordinal = before.event_ordinal + 1 if before else 0
    key = f"{exchange_ms}:{ordinal}"
    return Decision(
        id=stable_hash(account.key, strategy, market, key),
        strategy=strategy,
        market=market,
        event_key=f"timer:{strategy.rpartition('/')[2]}:{exchange_ms}",
        event_time_ms=exchange_ms,
        event_ordinal=ordinal,
        index=0,
        generation=generation,
        want=Target(quantity=Decimal(0), valid_until_ms=FOREVER_MS, style=OrderStyle.MARKETABLE, limit=limit),
        reason=_REASONS[strategy],
    )

"""Flatten as a decision of our own: a target of nothing, worked like any other, logged like any other."""

from __future__ import annotations

from decimal import Decimal

from smarttrade.execution.snapshot import HighWater
from smarttrade.identity import AccountIdentity, stable_hash
from smarttrade.messages import Decision, OrderStyle, Target

FLATTEN_STRATEGY = "smarttrade/flatten"
FOREVER_MS = 253_402_300_799_000


def build_exit(
    account: AccountIdentity, market: str, exchange_ms: int, before: HighWater | None, generation: int
) -> Decision:
    """Sell what the ledger holds. `before` is the exit before this one, above which this one counts.

    Two exits may begin within one millisecond, and the exchange's clock may step back between them.
    """
    exchange_ms = max(exchange_ms, before.event_time_ms) if before else exchange_ms
    ordinal = before.event_ordinal + 1 if before else 0
    key = f"{exchange_ms}:{ordinal}"
    return Decision(
        id=stable_hash(account.key, FLATTEN_STRATEGY, market, key),
        strategy=FLATTEN_STRATEGY,
        market=market,
        event_key=f"timer:flatten:{exchange_ms}",
        event_time_ms=exchange_ms,
        event_ordinal=ordinal,
        index=0,
        generation=generation,
        want=Target(quantity=Decimal(0), valid_until_ms=FOREVER_MS, style=OrderStyle.MARKETABLE),
        reason="the account is being flattened",
    )

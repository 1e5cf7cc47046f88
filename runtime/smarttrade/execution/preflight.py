"""What must be right before an account that trades live sends its first order.

Pure: findings from facts. Each has a code that becomes the reason of the condition Preflight, and a message
that says what to do. While there is one, nothing may be opened; an account that never sent an order sends
none at all. What the exchange did not answer is a finding as well: not knowing is not passing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from smarttrade.api import TradingAccountSpec
from smarttrade.api.exchange import Withdrawals
from smarttrade.exchange.key import KeyReport
from smarttrade.exchange.reports import Fees, MarketFilters
from smarttrade.execution.context import Context
from smarttrade.execution.strangers import shared
from smarttrade.execution.view import Hold
from smarttrade.messages import Check

ZERO = Decimal(0)
_ROUNDING = Decimal("0.001")
"""Of the allocation: fees that were paid in another asset, and the exchange's rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the exchange said. A question that failed is in `unanswered`, by what it was about.

    `trials`: market to what the exchange has against a trial order, empty if nothing.
    """

    key: KeyReport | None = None
    filters: Mapping[str, MarketFilters] = field(default_factory=dict)
    fees: Mapping[str, Fees] = field(default_factory=dict)
    trials: Mapping[str, str] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)


def judge(spec: TradingAccountSpec, facts: Facts) -> tuple[Hold, ...]:
    """Everything that the exchange's answers have against trading, the gravest first."""
    return (*_judge_key(spec, facts.key), *_judge_markets(spec, facts), *_judge_silence(facts))


def _judge_key(spec: TradingAccountSpec, key: KeyReport | None) -> Iterator[Hold]:
    if key is None:
        return
    exchange = spec.exchange.name
    if key.can_trade is False:
        yield Hold("KeyCannotTrade", f"the key may not trade spot on {exchange}: allow it there")
    if spec.exchange.withdrawals is Withdrawals.ACCEPT:
        return
    if key.can_withdraw:
        yield Hold(
            "KeyCanWithdraw",
            "the key may withdraw: take that permission away at the exchange, or set "
            "spec.exchange.withdrawals to Accept",
        )
    elif key.can_withdraw is None:
        yield Hold(
            "PermissionsUnknown",
            f"{exchange} does not tell whether the key may withdraw: make sure that it may not, then set "
            "spec.exchange.withdrawals to Accept",
        )


def _judge_markets(spec: TradingAccountSpec, facts: Facts) -> Iterator[Hold]:
    for market in (each.symbol for each in spec.markets):
        filters, fees = facts.filters.get(market), facts.fees.get(market)
        if filters is not None:
            yield from _judge_filters(spec, filters)
        if fees is not None and fees.taker >= spec.risk.price_collar:
            yield Hold(
                "FeeAboveCollar",
                f"the fee of {fees.taker:f} in {market} is not below risk.priceCollar "
                f"{spec.risk.price_collar:f}: check the fee tier, or widen the collar",
                market,
            )
        if facts.trials.get(market):
            text = f"the exchange refuses a trial order in {market}: {facts.trials[market]}"
            yield Hold("TrialOrderRefused", text, market)


def _judge_filters(spec: TradingAccountSpec, filters: MarketFilters) -> Iterator[Hold]:
    market, least, limit = filters.market, filters.minimum_notional, spec.risk.max_order_notional
    if not filters.active:
        yield Hold("MarketSuspended", f"{market} is suspended at the exchange; it is asked again", market)
    if least > limit:
        yield Hold(
            "MinimumAboveLimit",
            f"the smallest order of {market} is worth {least:f}; raise risk.maxOrderNotional {limit:f}",
            market,
        )


def _judge_silence(facts: Facts) -> Iterator[Hold]:
    if facts.unanswered:
        told = "; ".join(f"{what}: {why}" for what, why in facts.unanswered.items())
        text = f"the exchange did not answer, it is asked again: {told}"
        yield Hold("PreflightUnanswered", text, waits=True)


# --- what the core knows itself ---------------------------------------------------------------------------


def clock_skew(ctx: Context) -> Iterator[Hold]:
    """An order's deadline is an instant of the exchange's clock."""
    if not ctx.knows_clock:
        yield Hold("ClockSkew", "the exchange's clock is not known well enough to pin a deadline")


def outstanding(ctx: Context) -> list[Hold]:
    """What keeps the account from trading now; without a preflight, only others on its exchange account."""
    if not ctx.tuning.preflight:
        return [*shared(ctx)]
    if ctx.preflight is None:
        text = "key, fees, filters and a trial order are being checked"
        return [Hold("PreflightPending", text, waits=True), *_exclusive(ctx)]
    return [*ctx.preflight, *_exclusive(ctx), *_funded(ctx)]


def _exclusive(ctx: Context) -> Iterator[Hold]:
    yield from shared(ctx)
    if ctx.shared:
        yield Hold(
            "ExchangeAccountShared",
            f"{ctx.shared} used this exchange account before: give each TradingAccount a sub-account and a "
            "key of its own",
        )
    elif ctx.fingerprints and not set(ctx.fingerprints) <= set(ctx.cleared):
        yield Hold(
            "ExchangeAccountUnchecked",
            "the operator has not yet said that no other TradingAccount uses this exchange account",
            waits=True,
        )


def _funded(ctx: Context) -> Iterator[Hold]:
    """Checked until it has once been so: later a loss of balance is a matter of reconciliation."""
    spec = ctx.spec
    if spec is None or ctx.funded == spec.capital.allocation:
        return
    if not ctx.lead.reconciled:
        yield Hold("BalanceUnread", "the wallet was not read yet", waits=True)
        return
    currency, needed = spec.capital.currency, needed_balance(ctx)
    balance = ctx.balances.get(currency)
    total = balance.total if balance else ZERO
    if total + spec.capital.allocation * _ROUNDING >= needed:
        ctx.funded = spec.capital.allocation
        return
    yield Hold(
        "BalanceBelowAllocation",
        f"the wallet holds {total:f} {currency}, the account needs {needed:f}: deposit the difference, or "
        "lower capital.allocation",
    )


def needed_balance(ctx: Context) -> Decimal:
    """Quote that must be there: the allocation less realised losses and what the positions cost."""
    ledger = ctx.book.ledger
    allocation = ctx.spec.capital.allocation if ctx.spec else ZERO
    cost = sum((ledger.holding(market).cost for market in ledger.held()), ZERO)
    return max(allocation + min(ledger.realized_pnl, ZERO) - cost, ZERO)


def build_check(ctx: Context) -> Check | None:
    """The condition Preflight; None where no preflight is asked for."""
    if not ctx.tuning.preflight:
        return None
    found = [*(clock_skew(ctx) if ctx.lead.claimed else ()), *outstanding(ctx)]
    if not found:
        return Check(type="Preflight", ok=True, reason="Passed")
    message = "; ".join(f"{hold.code}: {hold.message}" for hold in found)
    return Check(type="Preflight", ok=False, reason=found[0].code, message=message)

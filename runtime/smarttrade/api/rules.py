"""Rules over several parts of the specification, and the sentence that Live demands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smarttrade.api.model import Rule, immutable
from smarttrade.api.scalars import at_most

if TYPE_CHECKING:
    from smarttrade.api.spec import TradingAccountSpec

RISK_ACKNOWLEDGEMENT = (
    "I accept that this account trades real money, that losses are mine, "
    "and that I am responsible for its use and configuration."
)


def _adopted_markets_are_traded(spec: TradingAccountSpec) -> bool:
    traded = {market.symbol for market in spec.markets}
    return all(position.symbol in traded for position in spec.capital.initial_positions)


SPEC_RULES: tuple[Rule, ...] = (
    immutable("bus", "create another TradingAccount, because this one's log does not move"),
    immutable("mode", "create another TradingAccount, so that Paper and Live never share a ledger"),
    Rule(
        f"self.mode != 'Live' || self.riskAcknowledgement == '{RISK_ACKNOWLEDGEMENT}'",
        f"mode Live needs exactly this sentence: {RISK_ACKNOWLEDGEMENT}",
        lambda spec: spec.mode != "Live" or spec.risk_acknowledgement == RISK_ACKNOWLEDGEMENT,
        "riskAcknowledgement",
    ),
    Rule(
        "self.mode != 'Live' || has(self.exchange.credentialsSecretRef)",
        "mode Live needs credentials: name a Secret that has the keys apiKey and secret",
        lambda spec: spec.mode != "Live" or spec.exchange.credentials_secret_ref is not None,
        "exchange.credentialsSecretRef",
    ),
    Rule(
        "self.markets.all(m, m.symbol.endsWith('/' + self.capital.currency))",
        "every market must be quoted in capital.currency: change the symbol or the currency",
        lambda spec: all(m.symbol.endswith(f"/{spec.capital.currency}") for m in spec.markets),
        "markets",
    ),
    Rule(
        "self.markets.all(m, !has(m.maxPositionNotional) || "
        + at_most("maxPositionNotional", "risk.maxPositionNotional", left="m")
        + ")",
        "each maxPositionNotional must be at most risk.maxPositionNotional: lower it or raise that",
        lambda spec: all(
            (m.max_position_notional or 0) <= spec.risk.max_position_notional for m in spec.markets
        ),
        "markets",
    ),
    Rule(
        at_most("risk.maxPositionNotional", "capital.allocation"),
        "must be at most capital.allocation: lower the limit or raise the allocation",
        lambda spec: spec.risk.max_position_notional <= spec.capital.allocation,
        "risk.maxPositionNotional",
    ),
    Rule(
        at_most("risk.maxDailyLoss", "capital.allocation"),
        "must be at most capital.allocation: lower the limit or raise the allocation",
        lambda spec: spec.risk.max_daily_loss <= spec.capital.allocation,
        "risk.maxDailyLoss",
    ),
    Rule(
        "self.capital.initialPositions.all(p, self.markets.exists(m, m.symbol == p.symbol))",
        "every symbol must be one of markets: add the market or remove the position",
        _adopted_markets_are_traded,
        "capital.initialPositions",
    ),
)

"""`smarttrade validate`: what a manifest would do, or everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

from smarttrade.api import TradingAccount, load_account


def describe_account(path: Path) -> str:
    """One paragraph about a valid manifest; ConfigurationError lists what is wrong with an invalid one."""
    return summarize(load_account(path))


def summarize(account: TradingAccount) -> str:
    spec = account.spec
    namespace = account.metadata.get("namespace", "default")
    markets = ", ".join(market.symbol for market in spec.markets)
    strategy = spec.strategy.name or (spec.strategy.source.class_name if spec.strategy.source else "")
    return (
        f"valid: {namespace}/{account.metadata['name']} trades {markets} on "
        f"{spec.exchange.name} ({spec.exchange.environment}, {spec.mode}) with {strategy} "
        f"on {spec.strategy.timeframe}, "
        f"{spec.capital.allocation} {spec.capital.currency}, {spec.replicas} replica(s), state {spec.state}"
    )

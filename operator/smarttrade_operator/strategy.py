"""The modules of a user's own strategy, on their way from a ConfigMap into the account's control value.

The ConfigMap is read when the object names one that the control value does not have yet, and not again: what
runs changes through the object alone, at one event; whoever edits or deletes the ConfigMap changes nothing.
"""

from __future__ import annotations

from smarttrade.api import TradingAccount
from smarttrade.errors import SmartTradeError
from smarttrade.messages import StrategyVersion
from smarttrade.source import pack
from smarttrade_operator.kinds import CONFIG_MAP
from smarttrade_operator.kube import Kube, NotFound


class StrategyMissing(SmartTradeError):  # noqa: N818
    """The ConfigMap that the object names is not there."""


async def take_up(
    kube: Kube, account: TradingAccount, known: StrategyVersion | None
) -> StrategyVersion | None:
    """What the object's strategy is to run: the `known` one where it names the same ConfigMap, None where it
    is built in. StrategyMissing; ConfigurationError for one that is too large."""
    source, namespace = account.spec.strategy.source, account.metadata["namespace"]
    if source is None:
        return None
    name = source.config_map_ref.name
    if known is not None and known.config_map == name:
        return known
    try:
        found = await kube.get(CONFIG_MAP, namespace, name)
    except NotFound as error:
        raise StrategyMissing(f'configmap "{name}" not found in {namespace}: create it') from error
    return pack(name, found.get("data") or {})

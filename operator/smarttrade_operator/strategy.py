"""A strategy of the user's own: its modules, on their way from a ConfigMap to the pods, or its image.

The ConfigMap is read when the object names one that the control value does not have yet, and not again: what
runs changes through the object alone, at one event; whoever edits or deletes the ConfigMap changes nothing.
An image is named by its digest and comes with the pod.
"""

from __future__ import annotations

from smarttrade.api import Strategy, TradingAccount
from smarttrade.errors import SmartTradeError
from smarttrade.messages import StrategyVersion
from smarttrade.source import pack, refer
from smarttrade_operator.kinds import CONFIG_MAP
from smarttrade_operator.kube import Kube, NotFound
from smarttrade_operator.settings import Runtime


class StrategyMissing(SmartTradeError):  # noqa: N818
    """The ConfigMap that the object names is not there."""


class ImageNotAllowed(SmartTradeError):  # noqa: N818
    """The platform runs no image from there."""


def check_image(strategy: Strategy, runtime: Runtime) -> None:
    """ImageNotAllowed for an image of its own from a repository that the platform does not name."""
    repository = strategy.image.partition("@")[0]
    if repository and not any(f"{repository}/".startswith(f"{each}/") for each in runtime.strategy_images):
        allowed = ", ".join(runtime.strategy_images) or "none"
        raise ImageNotAllowed(
            f"strategy.source.image: {repository} is no repository that the platform allows ({allowed})"
        )


async def take_up(
    kube: Kube, account: TradingAccount, known: StrategyVersion | None
) -> StrategyVersion | None:
    """What the object's strategy is to run: the `known` one where it names the same ConfigMap, None where it
    is built in. StrategyMissing; ConfigurationError for one that is too large."""
    source, namespace = account.spec.strategy.source, account.metadata["namespace"]
    if source is None:
        return None
    if source.image:
        return refer(source.image)
    name = source.origin
    if known is not None and known.origin == name:
        return known
    try:
        found = await kube.get(CONFIG_MAP, namespace, name)
    except NotFound as error:
        raise StrategyMissing(f'configmap "{name}" not found in {namespace}: create it') from error
    return pack(name, found.get("data") or {})

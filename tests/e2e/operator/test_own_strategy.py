"""A strategy of the user's own, from a ConfigMap: named while it is missing, trading once it is there."""

from __future__ import annotations

from collections.abc import Callable

from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import Platform

MakeAccount = Callable[..., str]
MODULE = '''
from decimal import Decimal

from smarttrade import Strategy


class InAndOut(Strategy):
    """Buys at one candle and sells at the next."""

    wanted = Decimal(0)

    def on_candle(self, candle):
        self.wanted = Decimal("0.01") - self.wanted
        return self.target(candle.market, self.wanted)
'''


def test_a_strategy_from_a_config_map_trades(platform: Platform, account: MakeAccount) -> None:
    source = {"configMapRef": {"name": "in-and-out-1"}, "class": "mine.InAndOut"}
    name = account("erin", strategy={"source": source, "timeframe": "1s"})
    condition = platform.users.wait_condition(name, "PodsHealthy", "FailedMount", 120)
    assert 'configmap "in-and-out-1" not found' in condition["message"]
    _create(platform, "in-and-out-1", MODULE)
    platform.wait_fills(name, 2)
    leader = platform.status(name)["leader"]

    _create(platform, "in-and-out-2", MODULE.replace("0.01", "0.02"))
    source = {"configMapRef": {"name": "in-and-out-2"}, "class": "mine.InAndOut"}
    platform.users.patch("TradingAccount", name, {"spec": {"strategy": {"source": source}}})
    eventually(lambda: platform.status(name)["leader"] not in (None, leader), 120, "a new pod leads")


def _create(platform: Platform, name: str, module: str) -> None:
    path = f"/api/v1/namespaces/{platform.users.name}/configmaps"
    manifest = {"metadata": {"name": name}, "data": {"mine.py": module}}
    assert platform.proxy.call("POST", path, manifest).status == 201

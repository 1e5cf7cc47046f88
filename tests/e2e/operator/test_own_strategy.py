"""A strategy of the user's own, from a ConfigMap: named while it is missing, trading once it is there."""

from __future__ import annotations

from collections.abc import Callable

from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import IN_AND_OUT, Platform, build_own_strategy

MakeAccount = Callable[..., str]


def test_a_strategy_from_a_config_map_trades(platform: Platform, account: MakeAccount) -> None:
    name = account("judy", strategy=build_own_strategy("in-and-out-1"))
    condition = platform.users.wait_condition(name, "PodsHealthy", "FailedMount", 120)
    assert 'configmap "in-and-out-1" not found' in condition["message"]
    platform.provide_strategy("in-and-out-1")
    platform.wait_fills(name, 2)
    leader = platform.status(name)["leader"]

    larger = platform.provide_strategy("in-and-out-2", IN_AND_OUT.replace("0.01", "0.02"))
    platform.users.patch("TradingAccount", name, {"spec": {"strategy": larger}})
    eventually(lambda: platform.status(name)["leader"] not in (None, leader), 120, "a new pod leads")
    fills = platform.status(name)["fills"]
    platform.wait_fills(name, fills + 2)

"""Uninstalling the platform leaves accounts that can be deleted. Last of all: it takes the platform away."""

from __future__ import annotations

from smarttrade_operator.finalizer import FINALIZER
from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import RELEASE, Platform


def test_an_account_outlives_the_platform_and_can_be_deleted_afterwards(platform: Platform) -> None:
    name = "grace"
    platform.apply(name)
    platform.users.wait("Deployment", name, 60)
    assert platform.users.get("TradingAccount", name)["metadata"]["finalizers"] == [FINALIZER]
    platform.helm("uninstall", RELEASE, "--wait")
    assert "finalizers" not in platform.users.get("TradingAccount", name)["metadata"]
    assert platform.users.find("Deployment", name) is not None
    platform.users.delete("TradingAccount", name)
    assert platform.users.find("TradingAccount", name) is None
    eventually(lambda: platform.users.find("Deployment", name) is None, 60, "its Deployment is gone")
    platform.users.delete("Secret", f"{name}-binance")

"""What one reconcile tells the pods while a part of what it asks fails."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from smarttrade.api.catalogue import Catalogue
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.rotation import Rotation
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountControl, StrategyVersion
from smarttrade_operator.apply import Applier
from smarttrade_operator.cache import Cache, Observed
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import Key
from smarttrade_operator.plan import build_plan
from smarttrade_operator.reconcile import Memory, Reconciler
from smarttrade_operator.reports import Reports
from smarttrade_operator.steps import Steps
from tests.unit.operator.accounts import SETTINGS, SIMULATOR, build_manifest

KEYS = OperatorKeys.generate()
ALICE = Key("alice", "alice")
RUNNING = StrategyVersion(origin="mine", digest="0" * 64, packed=b"as it was taken up")
OWN = {"source": {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}, "timeframe": "1m"}


class Bus:
    """An account's control value, which once cannot be read."""

    def __init__(self, stored: AccountControl) -> None:
        self.value = stored
        self.is_away = True

    def of(self, _: Key) -> Bus:
        return self

    async def provision(self, *_: object) -> bool:
        return False

    async def recall_control(self, _: AccountIdentity) -> AccountControl | None:
        if self.is_away:
            self.is_away = False
            raise BusError("no answer")
        return self.value

    async def write_control(self, _: AccountIdentity, control: AccountControl) -> bool:
        self.value = control
        return True


def _pair(identity: AccountIdentity, limits: AccountLimits, rotation: Rotation) -> AccountPair:
    return build_accounts(KEYS, identity, limits, now=1_800_000_000, rotation=rotation)


async def test_what_runs_is_not_forgotten_while_it_cannot_be_recalled() -> None:
    """The ConfigMap may have been edited since, or deleted: nothing but the control value knows."""
    catalogue = Catalogue.model_validate({"binance": {"Simulator": SIMULATOR}})
    manifest = build_manifest(strategy=OWN)
    plan = build_plan(manifest, SETTINGS, catalogue, _pair)
    bus = Bus(AccountControl(generation=3, spec=plan.control.spec, deleting=False, strategy=RUNNING))
    nothing = cast("Any", None)
    reconciler = Reconciler(
        kube=nothing,
        cache=Cache(),
        settings=SETTINGS,
        catalogue=catalogue,
        buses=cast("Any", bus),
        reports=Reports(time.monotonic),
        publisher=nothing,
        removal=nothing,
        aliases=nothing,
    )
    memory = Memory(manifest["metadata"]["uid"], Applier(nothing, time.monotonic))
    with pytest.raises(BusError, match="no answer"):
        await reconciler._tell(ALICE, plan, memory, Steps())
    assert (bus.value.generation, bus.value.strategy) == (3, RUNNING)
    await reconciler._tell(ALICE, plan, memory, steps := Steps())
    assert not steps.failures
    assert (bus.value.generation, bus.value.strategy) == (4, RUNNING)


class Order:
    """Notes what a deletion does one after the other; `vanishes` while the change is written."""

    def __init__(self, cache: Cache, *, vanishes: bool) -> None:
        self.cache, self.vanishes = cache, vanishes
        self.done: list[str] = []

    async def announce(self, _: Manifest) -> None:
        self.done.append("announced")

    async def record(self, key: Key, observed: Observed) -> float | None:
        self.done.append("recorded")
        if self.vanishes and observed.account:
            self.cache.observe(observed.account, deleted=True)
        return 10.0

    async def proceed(self, key: Key, observed: Observed) -> float | None:
        self.done.append(f"went on with {observed.account and key.name}")
        return None


@pytest.mark.parametrize(("vanishes", "with_what"), [(False, "alice"), (True, "None")])
async def test_the_pods_are_told_of_a_deletion_before_it_is_written_down(
    vanishes: bool, with_what: str
) -> None:
    cache, nothing = Cache(), cast("Any", None)
    manifest = build_manifest()
    manifest["metadata"]["deletionTimestamp"] = "2026-11-30T10:00:00Z"
    cache.observe(manifest)
    order = cast("Any", Order(cache, vanishes=vanishes))
    reconciler = Reconciler(
        kube=nothing,
        cache=cache,
        settings=SETTINGS,
        catalogue=nothing,
        buses=nothing,
        reports=Reports(time.monotonic),
        publisher=nothing,
        removal=order,
        aliases=nothing,
    )
    reconciler.chronicle = order
    assert await reconciler.reconcile(ALICE) is None
    assert order.done == ["announced", "recorded", f"went on with {with_what}"]

"""Events of one account are bounded, whatever it makes happen; those of others are not held up by it."""

from __future__ import annotations

from typing import Any, cast

from smarttrade_operator.cache import Cache
from smarttrade_operator.kinds import Kind, Manifest
from smarttrade_operator.kube import Kube
from smarttrade_operator.publish import Publisher
from smarttrade_operator.status import Budget


class Posted:
    """Takes the place of the API server."""

    def __init__(self) -> None:
        self.events: list[Manifest] = []

    async def create(self, manifest: Manifest, kind: Kind) -> Manifest:
        self.events.append(manifest)
        return manifest

    def of(self, name: str) -> int:
        return sum(event["regarding"]["name"] == name for event in self.events)


def _account(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "users", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"apiVersion": "smarttrade.io/v1alpha1", "kind": "TradingAccount", "metadata": metadata}


async def test_an_account_gets_a_burst_of_events_and_then_few() -> None:
    now_s, posted = [0.0], Posted()
    kube = cast(Kube, posted)
    publisher = Publisher(kube, Cache("smarttrade"), Budget(20), "operator-a", ("s", "d"), lambda: now_s[0])
    for step in range(1000):
        now_s[0] = step / 10
        await publisher.tell(_account("mallory"), f"Reason{step}", "note")
    assert posted.of("mallory") == 25
    await publisher.tell(_account("alice"), "Settled", "note")
    assert posted.of("alice") == 1
    now_s[0] += 601
    for _ in range(10):
        await publisher.tell(_account("mallory"), "Again", "note")
    assert posted.of("mallory") == 27

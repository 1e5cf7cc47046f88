"""Makes the children what they must be, with no write when they already are.

What a manifest looks like once the API server has filled in its defaults is learned from the API server: a
dry run of replacing the live object with the manifest answers exactly that, for any version of Kubernetes.
Changes go by server-side apply; a deviation that somebody else made is replaced as a whole, because apply
does not remove what it never set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from smarttrade.errors import SmartTradeError
from smarttrade_operator.drift import Drift, DriftLedger, differences, essence, other_manager
from smarttrade_operator.kinds import DISRUPTION_BUDGET, FIELD_MANAGER, Manifest, kind_of
from smarttrade_operator.kube import Conflict, Kube, NotFound
from smarttrade_operator.ownership import controller_of, is_controlled_by, is_left_by_predecessor


class NameTaken(SmartTradeError):  # noqa: N818
    """Somebody else's object has the name that a child must have."""


@dataclass(slots=True)
class Applied:
    """The child as it now is; `repaired` where a deviation was removed, `wait_s` where it must wait."""

    live: Manifest
    repaired: Drift | None = None
    wait_s: float = 0.0


@dataclass(slots=True)
class Applier:
    """Applies the children of one account and remembers how the API server completed them."""

    kube: Kube
    clock: Callable[[], float]
    ledger: DriftLedger = field(default_factory=DriftLedger)
    _expected: dict[tuple[str, str], tuple[str, Manifest]] = field(default_factory=dict)
    _own: set[str] = field(default_factory=set)

    async def ensure(self, desired: Manifest, live: Manifest | None) -> Applied:
        """Bring one child to `desired`. `live` is what the watch has seen, None when it has seen nothing."""
        if live is None:
            live = await self._find(desired)
        if live is None:
            return await self._create(desired)
        if live["metadata"].get("deletionTimestamp") or is_left_by_predecessor(live, desired):
            return Applied(live, wait_s=1.0)
        self._refuse_strangers(desired, live)
        known = self._known(desired)
        expected = known or await self._learn(desired, live)
        if essence(live) == expected:
            return Applied(live)
        return await (self._repair(desired, expected, live) if known else self._change(desired, expected))

    def contested(self) -> list[Drift]:
        return self.ledger.contested(self.clock())

    async def _find(self, desired: Manifest) -> Manifest | None:
        """The object under the child's name: the watch may lag behind, or have lost it by its labels."""
        metadata = desired["metadata"]
        try:
            return await self.kube.get(kind_of(desired), metadata["namespace"], metadata["name"])
        except NotFound:
            return None

    def _refuse_strangers(self, desired: Manifest, live: Manifest) -> None:
        """What was once ours stays so even if somebody strips it of its owner."""
        controller = controller_of(desired)
        assert controller is not None
        if is_controlled_by(live, controller["uid"]):
            self._own.add(live["metadata"]["uid"])
        elif controller_of(live) is not None or live["metadata"]["uid"] not in self._own:
            raise NameTaken(
                f"{_child(desired)} exists and does not belong to this TradingAccount: delete or rename it, "
                "or give the TradingAccount another name"
            )

    async def _create(self, desired: Manifest) -> Applied:
        live = await self.kube.apply(desired)
        self._own.add(live["metadata"]["uid"])
        if all(entry["manager"] == FIELD_MANAGER for entry in live["metadata"].get("managedFields") or []):
            self._remember(desired, essence(live))
        return Applied(live)

    async def _change(self, desired: Manifest, expected: Manifest) -> Applied:
        live = await self.kube.apply(desired)
        if essence(live) != expected:
            live = await self._replace(desired, live)
        return Applied(live)

    async def _repair(self, desired: Manifest, expected: Manifest, live: Manifest) -> Applied:
        paths = tuple(differences(expected, essence(live)))
        drift = Drift(_child(desired), paths, other_manager(live))
        wait_s = self.ledger.wait_s(drift, self.clock())
        if wait_s > 0:
            return Applied(live, wait_s=wait_s)
        live = await self._replace(desired, live)
        self.ledger.record(drift, self.clock())
        return Applied(live, repaired=drift)

    async def _learn(self, desired: Manifest, live: Manifest) -> Manifest:
        expected = essence(await self._replace(desired, live, dry_run=True))
        self._remember(desired, expected)
        return expected

    async def _replace(self, desired: Manifest, live: Manifest, *, dry_run: bool = False) -> Manifest:
        try:
            return await self.kube.replace(_at_version(desired, live), dry_run=dry_run)
        except Conflict:
            metadata = desired["metadata"]
            live = await self.kube.get(kind_of(desired), metadata["namespace"], metadata["name"])
            return await self.kube.replace(_at_version(desired, live), dry_run=dry_run)

    def _known(self, desired: Manifest) -> Manifest | None:
        digest, expected = self._expected.get(_key(desired), ("", {}))
        return expected if digest == _digest(desired) else None

    def _remember(self, desired: Manifest, expected: Manifest) -> None:
        self._expected[_key(desired)] = (_digest(desired), expected)


def _at_version(desired: Manifest, live: Manifest) -> Manifest:
    """PodDisruptionBudgets alone refuse to be replaced without the version that is replaced."""
    if desired["kind"] != DISRUPTION_BUDGET.kind:
        return desired
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    return desired | {"metadata": desired["metadata"] | version}


def _child(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()

"""What the watches have told so far, account by account.

The cache is fed by events and by the replies to our own writes, whichever is newer. It holds no Secret.
Deletions carry the object's uid, so that a late one cannot remove its successor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from smarttrade_operator.children.blueprint import ACCOUNT_LABEL
from smarttrade_operator.differences import meaning
from smarttrade_operator.kinds import DEPLOYMENT, POD, TRADING_ACCOUNT, Manifest
from smarttrade_operator.names import INSTALLATION_LABEL, Key
from smarttrade_operator.ownership import controller_of, is_controlled_by

ChildName = tuple[str, str]

_STATES = 32


@dataclass(slots=True)
class Observed:
    """One account as seen: the object, and what carries its label, by (kind, name).

    The label only finds candidates: `managed`, `deployment` and `pods` are what the account controls.
    `states` are those of the object that differ in what they mean, each as it was seen first, up to the
    newest; whoever has recorded the first ones takes them away.
    """

    account: Manifest | None = None
    states: list[Manifest] = field(default_factory=list)
    children: dict[ChildName, Manifest] = field(default_factory=dict)

    def child(self, desired: Manifest) -> Manifest | None:
        return self.children.get((desired["kind"], desired["metadata"]["name"]))

    @property
    def pods(self) -> list[Manifest]:
        """Pods of its Deployment's ReplicaSets, which are named after it."""
        name = self.account["metadata"]["name"] if self.account else ""
        pods = [child for (kind, _), child in self.children.items() if kind == POD.kind]
        return [pod for pod in pods if name and _is_of_replica_set(pod, f"{name}-")]

    @property
    def managed(self) -> list[Manifest]:
        """The children that the operator writes itself."""
        uid = self.account["metadata"]["uid"] if self.account else ""
        written = [child for (kind, _), child in self.children.items() if kind != POD.kind]
        return [child for child in written if uid and is_controlled_by(child, uid)]

    @property
    def deployment(self) -> Manifest | None:
        return next((child for child in self.managed if child["kind"] == DEPLOYMENT.kind), None)


@dataclass(slots=True)
class Cache:
    """Everything observed, by account. Accounts of another `installation` are not seen."""

    installation: str = ""
    _accounts: dict[Key, Observed] = field(default_factory=dict)

    def observe(self, manifest: Manifest, *, deleted: bool = False) -> Key | None:
        """Take in one object; returns the account concerned, None when it belongs to none."""
        key = owner_key(manifest)
        if key is None:
            return None
        observed = self._accounts.setdefault(key, Observed())
        if manifest["kind"] == TRADING_ACCOUNT.kind:
            gone = deleted or not self.serves(manifest)
            observed.account = _merge(observed.account, manifest, gone)
            if observed.account is manifest:
                observed.states = _append(observed.states, manifest)
            elif observed.account is None:
                observed.states = []
        else:
            name = (manifest["kind"], manifest["metadata"]["name"])
            kept = _merge(observed.children.get(name), manifest, deleted)
            if kept is None:
                observed.children.pop(name, None)
            else:
                observed.children[name] = kept
        if observed.account is None and not observed.children:
            del self._accounts[key]
        return key

    def serves(self, manifest: Manifest) -> bool:
        """Whether the object is this installation's: an account may say whose it is, where there are two.

        It says so by a label until an operator has taken it up, which the status tells: its user may change
        the one, but nobody takes an account out of its operator's hands by that.
        """
        if manifest["kind"] != TRADING_ACCOUNT.kind:
            return True
        taken_up = (manifest.get("status") or {}).get("installation")
        named = taken_up or (manifest["metadata"].get("labels") or {}).get(INSTALLATION_LABEL)
        return named is None or named == self.installation

    def knows(self, manifest: Manifest) -> bool:
        """Whether it is an account that is being served, by its metadata alone."""
        key = owner_key(manifest)
        known = self._accounts.get(key) if key else None
        return known is not None and known.account is not None and manifest["kind"] == TRADING_ACCOUNT.kind

    def get(self, key: Key) -> Observed:
        return self._accounts.get(key) or Observed()

    def accounts(self) -> list[Key]:
        """The accounts that exist."""
        return [key for key, observed in self._accounts.items() if observed.account is not None]

    def objects(self, kind: str) -> Iterator[Manifest]:
        """All objects of one kind."""
        for observed in self._accounts.values():
            if kind == TRADING_ACCOUNT.kind:
                yield from [observed.account] if observed.account else []
            else:
                yield from (child for (of, _), child in observed.children.items() if of == kind)


def owner_key(manifest: Manifest) -> Key | None:
    """The account that an object is or belongs to, by its label."""
    metadata = manifest["metadata"]
    if manifest["kind"] == TRADING_ACCOUNT.kind:
        return Key(metadata["namespace"], metadata["name"])
    name = (metadata.get("labels") or {}).get(ACCOUNT_LABEL)
    return Key(metadata["namespace"], name) if name else None


def version(manifest: Manifest) -> int:
    """Versions of one object grow; since Kubernetes 1.35 clients may compare them."""
    text = str(manifest["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0


def _is_of_replica_set(pod: Manifest, prefix: str) -> bool:
    controller = controller_of(pod)
    return (
        controller is not None
        and controller["kind"] == "ReplicaSet"
        and str(controller["name"]).startswith(prefix)
    )


def _append(states: list[Manifest], newest: Manifest) -> list[Manifest]:
    """Only so many: what is left out is in the difference to the next one."""
    if not states or states[-1]["metadata"].get("uid") != newest["metadata"].get("uid"):
        return [newest]
    if meaning(states[-1]) == meaning(newest):
        return states
    return [*states, newest] if len(states) < _STATES else [states[0], *states[2:], newest]


def _merge(known: Manifest | None, seen: Manifest, deleted: bool) -> Manifest | None:
    if deleted:
        same = known is not None and known["metadata"].get("uid") == seen["metadata"].get("uid")
        return None if same else known
    if known is not None and version(known) > version(seen):
        return known
    return seen

"""Performs the deletion of an account, one stage after the other (see `finalizer` for which and when).

A namespace that is being deleted takes everything in it away in any order, in namespaced mode our Role too.
What we are refused there is then not ours to do any more: the pods are gone when they are silent, and the
account is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import structlog

from smarttrade.api import DeletionPolicy, TradingAccount
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.buses import Buses
from smarttrade_operator.cache import Observed
from smarttrade_operator.children.blueprint import secret_name
from smarttrade_operator.conditions import Findings
from smarttrade_operator.finalizer import (
    Deletion,
    Stage,
    build_finalizer_patch,
    deleted_at_s,
    deletion_age_s,
    has_finalizer,
)
from smarttrade_operator.kinds import DEPLOYMENT, NAMESPACE, SECRET, TRADING_ACCOUNT, Manifest, kind_of
from smarttrade_operator.kube import Kube, NotFound, Refused
from smarttrade_operator.names import Key
from smarttrade_operator.ownership import is_controlled_by
from smarttrade_operator.plan import InvalidSpec, build_control, identify, parse
from smarttrade_operator.publish import Publisher
from smarttrade_operator.reports import Reports
from smarttrade_operator.settings import Settings
from smarttrade_operator.status import AT_ONCE_S

_POLL_S = 0.5


@dataclass(slots=True)
class Removal:
    """One for the whole process; all state is in the object and in what is still there."""

    kube: Kube
    settings: Settings
    buses: Buses
    reports: Reports
    publisher: Publisher
    clock: Callable[[], float]

    async def proceed(self, key: Key, observed: Observed) -> float | None:
        """Do the next stage; seconds after which to come again, None once the object is released."""
        account = observed.account
        if account is None or not has_finalizer(account):
            return None
        parsed = _parse(account)
        identity = identify(account, self.settings)
        is_ending = await self._is_ending(key.namespace)
        deletion = self._assess(key, account, observed, parsed, is_ending)
        with _lenient(is_ending):
            await self._publish(key, account)
        if deletion.stage is Stage.SETTLE:
            return _POLL_S
        if deletion.stage is Stage.STOP_PODS:
            with _lenient(is_ending):
                await self._stop_pods(key, account, observed, deletion)
            return _POLL_S
        await self._remove_accounts(account, identity, deletion)
        with _lenient(is_ending):
            await self._remove_children(key, account, observed, identity)
        await self._release(account)
        return None

    async def _is_ending(self, namespace: str) -> bool:
        """Whether the namespace itself is being deleted; asked only where our rights live in it."""
        if not self.settings.watch_namespaces:
            return False
        try:
            found = await self.kube.get(NAMESPACE, None, namespace)
        except Refused:
            return False  # the chart's rbac.releaseClusterWide is off
        return bool(found["metadata"].get("deletionTimestamp"))

    async def announce(self, manifest: Manifest) -> None:
        """Tell the pods. Without NATS they cannot be told; the time-out then ends the wait."""
        account, identity = _parse(manifest), identify(manifest, self.settings)
        if account is None or not has_finalizer(manifest):
            return
        try:
            bus = self.buses.of(Key(identity.namespace, identity.name))
            stored = await bus.recall_control(identity)
            # A pod that starts while its account is settled still needs what it runs.
            strategy = stored.strategy if stored else None
            control = msgspec.structs.replace(build_control(account, deleting=True), strategy=strategy)
            await bus.write_control(identity, control)
        except BusError as error:
            _log.warning("deletion not announced", account=identity.key, error=str(error))

    def _assess(
        self,
        key: Key,
        manifest: Manifest,
        observed: Observed,
        account: TradingAccount | None,
        is_ending: bool,
    ) -> Deletion:
        voices, ever_reported = self.reports.of(key), "asOf" in (manifest.get("status") or {})
        silent = not voices.pods and (voices.settled or not ever_reported)
        return Deletion(
            policy=account.spec.deletion_policy if account else DeletionPolicy.CANCEL_ORDERS,
            generation=manifest["metadata"]["generation"],
            timeout_s=account.spec.deletion_timeout_seconds if account else 60.0,
            age_s=deletion_age_s(manifest, datetime.now(UTC)),
            voices=voices,
            ever_reported=ever_reported,
            stopped=(is_ending and silent) or (not observed.pods and observed.deployment is None),
        )

    async def _publish(self, key: Key, account: Manifest) -> None:
        generation = account["metadata"]["generation"]
        findings = Findings(generation=generation, voices=self.reports.of(key), deleting=True)
        # Written only where a verdict changes: numbers of an account that goes away can wait for ever.
        try:
            await self.publisher.publish(account, findings, self.clock() - AT_ONCE_S)
        except Exception as error:  # noqa: BLE001 - what an account reports must never hold its deletion
            _log.warning("status of a deletion not written", account=str(key), error=str(error))

    async def _stop_pods(self, key: Key, account: Manifest, observed: Observed, deletion: Deletion) -> None:
        deployment = observed.deployment
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            return
        if deletion.settled:
            await self.publisher.tell(account, "Settled", f"{deletion.policy.value}: done, pods are stopped")
        else:
            note = f"not settled within {deletion.timeout_s:.0f} s ({deletion.left}); pods are stopped anyway"
            await self.publisher.tell(account, "NotSettled", note, kind="Warning")
        metadata = deployment["metadata"]
        await self.kube.delete(DEPLOYMENT, key.namespace, metadata["name"], uid=metadata["uid"])

    async def _remove_accounts(
        self, account: Manifest, identity: AccountIdentity, deletion: Deletion
    ) -> None:
        try:
            bus = self.buses.of(Key(identity.namespace, identity.name))
            await bus.remove(identity, deleted_at_s(account))
        except BusError as error:
            if not deletion.overdue:
                raise
            note = f"released although its NATS accounts could not be removed, which is tried again: {error}"
            await self.publisher.tell(account, "NatsAccountsLeft", note, kind="Warning")

    async def _remove_children(
        self, key: Key, account: Manifest, observed: Observed, identity: AccountIdentity
    ) -> None:
        """The owner references would do it too, but when that happens nobody can tell."""
        for child in observed.managed:
            metadata = child["metadata"]
            await self.kube.delete(kind_of(child), key.namespace, metadata["name"], uid=metadata["uid"])
        owner, secret = account["metadata"]["uid"], secret_name(identity)
        found = await self.kube.look(SECRET, key.namespace, secret)
        if found is not None and is_controlled_by(found, owner):
            await self.kube.delete(SECRET, key.namespace, secret, uid=found["metadata"]["uid"])

    async def _release(self, account: Manifest) -> None:
        metadata = account["metadata"]
        patch = build_finalizer_patch(account, present=False)
        try:
            await self.kube.merge_patch(TRADING_ACCOUNT, metadata["namespace"], metadata["name"], patch)
        except NotFound:
            return
        _log.info("account released", account=f"{metadata['namespace']}/{metadata['name']}")


def _parse(account: Manifest) -> TradingAccount | None:
    """None for an object that this version cannot read: it must still be possible to delete it."""
    try:
        return parse(account)
    except InvalidSpec:
        return None


def _lenient(is_ending: bool) -> AbstractContextManager[None]:
    """What is refused in a namespace that is being deleted is left to that deletion."""
    return suppress(Refused) if is_ending else nullcontext()


_log = structlog.get_logger()

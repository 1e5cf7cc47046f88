"""Brings one Backtest forward: children, then shards, then the collector, then the verdict.

Level-triggered, without memory but of the last status: everything is read anew, an object that exists is left
as it is, and what somebody deleted while the run goes on is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from smarttrade.api import TradingAccountSpec
from smarttrade.api.backtest import BacktestSpec
from smarttrade_operator.apply import NameTaken
from smarttrade_operator.backtests.build import (
    LABEL,
    Outline,
    build_children,
    build_collect_job,
    build_shard_job,
)
from smarttrade_operator.backtests.progress import (
    Status,
    build_pending,
    build_refused,
    build_status,
    has_condition,
    is_over,
)
from smarttrade_operator.cache import INSTALLATION_LABEL
from smarttrade_operator.kinds import (
    BACKTEST,
    JOB,
    NETWORK_POLICY,
    POD,
    TRADING_ACCOUNT,
    Kind,
    Manifest,
    kind_of,
)
from smarttrade_operator.kube import Conflict, Kube, NotFound, Refused
from smarttrade_operator.names import Key
from smarttrade_operator.ownership import controller_of, is_controlled_by
from smarttrade_operator.settings import Settings

_RECHECK_S = 30.0
_WAIT_S = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class BacktestReconciler:
    """One for the whole process."""

    kube: Kube
    settings: Settings
    now: Callable[[], datetime] = _now

    async def reconcile(self, key: Key) -> float | None:
        """Seconds after which to look again, None when the object is at its end."""
        try:
            backtest = await self.kube.get(BACKTEST, *key)
        except NotFound:
            return None
        if is_over(backtest) or backtest["metadata"].get("deletionTimestamp") or not self._serves(backtest):
            return None
        outline = await self._outline(backtest)
        if isinstance(outline, str):
            await self._publish(backtest, build_pending(backtest, outline, self.now()))
            return _WAIT_S
        try:
            return await self._advance(backtest, outline)
        except (Refused, NameTaken) as error:
            await self._publish(backtest, build_pending(backtest, str(error)[:1000], self.now()))
            raise

    async def _advance(self, backtest: Manifest, outline: Outline) -> float | None:
        shards = await self._find(outline, outline.child_name)
        if not has_condition(shards, "Complete"):
            for child in build_children(outline):
                await self._create(child)
        if shards is None:
            shards = await self._create(build_shard_job(outline))
        collector = await self._find(outline, outline.collector_name)
        if collector is None and has_condition(shards, "Complete"):
            collector = await self._create(build_collect_job(outline))
        pods = await self.kube.list_objects(POD, outline.namespace, label_selector=f"{LABEL}={outline.name}")
        status = build_status(backtest, shards, collector, pods, self.now())
        try:
            await self._publish(backtest, status)
        except Refused as error:
            status = build_refused(backtest, str(error), self.now())
            await self._publish(backtest, status)
        return None if is_over({"status": status}) else _RECHECK_S

    def _serves(self, backtest: Manifest) -> bool:
        named = (backtest["metadata"].get("labels") or {}).get(INSTALLATION_LABEL)
        return named is None or named == self.settings.installation

    async def _outline(self, backtest: Manifest) -> Outline | str:
        """What the children are built from, or why that cannot be said yet."""
        metadata, spec = backtest["metadata"], BacktestSpec.model_validate(backtest["spec"])
        try:
            account = await self.kube.get(TRADING_ACCOUNT, metadata["namespace"], spec.account)
        except NotFound:
            return f"there is no TradingAccount {spec.account} in this namespace: create it, or name another"
        return Outline(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            spec=spec,
            account=TradingAccountSpec.model_validate(account["spec"]),
            account_name=spec.account,
            runtime=self.settings.runtime,
            settings=self.settings.backtests,
        )

    async def _find(self, outline: Outline, name: str) -> Manifest | None:
        try:
            found = await self.kube.get(JOB, outline.namespace, name)
        except NotFound:
            return None
        _refuse_stranger(found, JOB, outline.uid)
        return found

    async def _create(self, child: Manifest) -> Manifest | None:
        """The new child, None if it is there already. NameTaken where the policy is another's: the pods
        would run without the one that confines them."""
        try:
            return await self.kube.create(child, kind_of(child))
        except Conflict:
            metadata, owner = child["metadata"], controller_of(child)
            assert owner is not None
            if kind_of(child) is NETWORK_POLICY:
                found = await self.kube.get(NETWORK_POLICY, metadata["namespace"], metadata["name"])
                _refuse_stranger(found, NETWORK_POLICY, owner["uid"])
            return None

    async def _publish(self, backtest: Manifest, status: Status) -> None:
        if (backtest.get("status") or {}) == status:
            return
        metadata = {name: backtest["metadata"][name] for name in ("name", "namespace")}
        manifest = {
            "apiVersion": BACKTEST.api_version,
            "kind": BACKTEST.kind,
            "metadata": metadata,
            "status": status,
        }
        try:
            await self.kube.apply(manifest, subresource="status")
        except NotFound:
            return  # deleted meanwhile


def _refuse_stranger(found: Manifest, kind: Kind, uid: str) -> None:
    if not is_controlled_by(found, uid):
        raise NameTaken(
            f"{kind.kind} {found['metadata']['name']} exists and does not belong to this Backtest: delete it "
            "or create the Backtest under another name"
        )

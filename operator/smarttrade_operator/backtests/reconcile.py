"""Brings one Backtest forward: children, then shards round by round, then the collector, then the verdict.

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
    child_name,
    collector_name,
    image_of,
    shards_name,
    source_of,
)
from smarttrade_operator.backtests.progress import (
    Status,
    build_pending,
    build_refused,
    build_status,
    ends_at,
    has_condition,
    is_over,
    round_of,
    seconds_left,
)
from smarttrade_operator.backtests.trouble import find_problem
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
from smarttrade_operator.names import INSTALLATION_LABEL, Key
from smarttrade_operator.ownership import controller_of, is_controlled_by
from smarttrade_operator.settings import Runtime, Settings
from smarttrade_operator.strategy import ImageNotAllowed, check_image

_RECHECK_S = 30.0
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Jobs:
    """What there is: the shards of the round that is on, those of the one before if seen, the collector."""

    number: int
    before: Manifest | None
    shards: Manifest | None
    collector: Manifest | None


def _source(account: TradingAccountSpec | None) -> str | None:
    source = account.strategy.source if account else None
    return source.config_map_ref.name if source and source.config_map_ref else None


def _image(account: TradingAccountSpec | None, runtime: Runtime) -> str:
    if account is None:
        return ""
    check_image(account.strategy, runtime)
    return account.strategy.image


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
        try:
            return await self._advance(backtest)
        except (Refused, NameTaken, ImageNotAllowed) as error:
            await self._publish(backtest, build_pending(backtest, str(error)[:1000], self.now()))
            raise

    async def _advance(self, backtest: Manifest) -> float | None:
        found = await self._jobs(backtest)
        outline = await self._outline(backtest, found)
        if outline is None:
            text = f"there is no TradingAccount {backtest['spec']['account']} in this namespace: create it"
            await self._publish(backtest, build_pending(backtest, text, self.now()))
            return _WAIT_S
        left = seconds_left(backtest, self.now())
        shards, collector = found.shards, found.collector
        done = has_condition(shards, "Complete")
        if collector is None and not done:
            for child in build_children(outline):
                await self._create(child)
            shards = shards or await self._create(build_shard_job(outline, found.number, left))
        elif collector is None:
            collector = await self._create(build_collect_job(outline, left))
        pods = await self.kube.list_objects(POD, outline.namespace, label_selector=f"{LABEL}={outline.name}")
        problem = await find_problem(self.kube, collector or shards, pods, self.now())
        status = build_status(backtest, found.number, shards, collector, pods, problem, self.now())
        try:
            await self._publish(backtest, status)
        except Refused as error:
            status = build_refused(backtest, str(error), self.now())
            await self._publish(backtest, status)
        starting = any((pod.get("status") or {}).get("phase") == "Pending" for pod in pods)
        return None if is_over({"status": status}) else _WAIT_S if problem or starting else _RECHECK_S

    async def _jobs(self, backtest: Manifest) -> _Jobs:
        child, last = child_name(backtest), BacktestSpec.model_validate(backtest["spec"]).rounds - 1
        number, before = round_of(backtest), None
        shards = await self._find(backtest, shards_name(child, number))
        while has_condition(shards, "Complete") and number < last:
            number, before = number + 1, shards
            shards = await self._find(backtest, shards_name(child, number))
        return _Jobs(number, before, shards, await self._find(backtest, collector_name(child)))

    def _serves(self, backtest: Manifest) -> bool:
        named = (backtest["metadata"].get("labels") or {}).get(INSTALLATION_LABEL)
        return named is None or named == self.settings.installation

    async def _outline(self, backtest: Manifest, found: _Jobs) -> Outline | None:
        """What the children are built from; None while there is nothing to begin with."""
        metadata, spec = backtest["metadata"], BacktestSpec.model_validate(backtest["spec"])
        account = await self._account(metadata["namespace"], spec.account)
        begun = found.shards or found.before or found.collector
        if account is None and begun is None:
            return None
        return Outline(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            spec=spec,
            account=account,
            source=source_of(begun) if begun else _source(account),
            image=image_of(begun) if begun else _image(account, self.settings.runtime),
            runtime=self.settings.runtime,
            settings=self.settings.backtests,
            ends=ends_at(backtest, self.now()),
        )

    async def _account(self, namespace: str, name: str) -> TradingAccountSpec | None:
        try:
            account = await self.kube.get(TRADING_ACCOUNT, namespace, name)
        except NotFound:
            return None
        return TradingAccountSpec.model_validate(account["spec"])

    async def _find(self, backtest: Manifest, name: str) -> Manifest | None:
        metadata = backtest["metadata"]
        try:
            found = await self.kube.get(JOB, metadata["namespace"], name)
        except NotFound:
            return None
        _refuse_stranger(found, JOB, metadata["uid"])
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

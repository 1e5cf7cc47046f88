"""The one flow that makes an account what its object says: gather, build, apply, prune, NATS, status.

Independent steps go on when one fails; what failed is told in the conditions, and the queue comes back. The
pods' Deployment alone waits for its account in NATS and for its Secret the first time: pods that start
before those exist would only crash.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from smarttrade.api.catalogue import Catalogue
from smarttrade.bus.accounts import AccountLimits, AccountPair
from smarttrade.bus.rotation import NEVER, Rotation
from smarttrade.errors import ConfigurationError
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountControl, StrategyVersion
from smarttrade_operator.aliases import KnownNames
from smarttrade_operator.apply import Applier
from smarttrade_operator.buses import Buses
from smarttrade_operator.cache import Cache, Observed
from smarttrade_operator.chronicle import Chronicle
from smarttrade_operator.conditions import Findings
from smarttrade_operator.diagnose import Problem, diagnose, newest_warning, stuck_pods
from smarttrade_operator.finalizer import build_finalizer_patch, has_finalizer
from smarttrade_operator.kinds import CORE_EVENT, DEPLOYMENT, TRADING_ACCOUNT, Manifest, kind_of
from smarttrade_operator.kube import Kube
from smarttrade_operator.names import Key
from smarttrade_operator.plan import Plan, build_plan, identify
from smarttrade_operator.provisioning import Provisioning
from smarttrade_operator.prune import superfluous
from smarttrade_operator.publish import Publisher
from smarttrade_operator.removal import Removal
from smarttrade_operator.reports import FRESH_S, Reports
from smarttrade_operator.rollout import Rollouts
from smarttrade_operator.rotation import hold_s, read_revoked, read_rotation
from smarttrade_operator.secrets import write_secret
from smarttrade_operator.settings import Settings
from smarttrade_operator.sharing import Claim, build_claims, judge_sharing, read_claims
from smarttrade_operator.steps import Steps, reason_of
from smarttrade_operator.strategy import check_image, take_up

_STUCK_RECHECK_S = 5.0
_ROLLOUT_RECHECK_S = 2.0
_REVOKE_S = 0.3
SHARED_RECHECK_S = 15.0
CLAIM_RECHECK_S = 0.3


@dataclass(slots=True)
class Memory:
    """What is remembered of one account between reconciles; losing it costs work, never correctness."""

    uid: str
    applier: Applier
    plan: Plan | None = None
    plan_of: tuple[str, int, int] = ("", 0, 0)
    authority: str = ""
    rotation: Rotation = NEVER
    secret_for: int = 0
    secret_uid: str = ""
    secret_written_s: float = 0.0
    revoked_s: int = 0
    status_written_s: float = 0.0
    provisioned_s: float = 0.0
    warnings: dict[str, Problem] = field(default_factory=dict)
    warnings_read_s: float = float("-inf")
    claims: tuple[Claim, ...] | None = None
    strategy: StrategyVersion | None = None


@dataclass(slots=True)
class Reconciler:
    """One for the whole process. `clock` is monotonic seconds, `wall` seconds since the epoch."""

    kube: Kube
    cache: Cache
    settings: Settings
    catalogue: Catalogue
    buses: Buses
    reports: Reports
    publisher: Publisher
    removal: Removal
    aliases: KnownNames
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    rollouts: Rollouts = field(init=False)
    chronicle: Chronicle = field(init=False)
    _memories: dict[Key, Memory] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chronicle = Chronicle(self.buses, self.settings, self.publisher, self.clock, self.wall)
        self.rollouts = Rollouts(lambda: len({key.namespace for key in self.cache.accounts()}))

    async def reconcile(self, key: Key) -> float | None:
        """Bring one account up to date; seconds after which to come again, or None."""
        observed = self.cache.get(key)
        if observed.account is None:
            self._forget(key)
            return None
        self._forget_predecessor(key, observed.account)
        self.reports.expect(identify(observed.account, self.settings))
        if observed.account["metadata"].get("deletionTimestamp"):
            await self.removal.announce(observed.account)
            # After the pods know, and before the trail goes into the archive.
            await self.chronicle.record(key, observed)
            return await self.removal.proceed(key, self.cache.get(key))
        return await self._uphold(key, observed)

    def distrust(self, key: Key) -> None:
        """Take nothing for granted at the next reconcile: rewrite the Secret, look NATS up again."""
        memory = self._memories.get(key)
        if memory is not None:
            memory.secret_for = 0
        self.buses.forget(key)

    def _forget_predecessor(self, key: Key, account: Manifest) -> None:
        """An account made anew under its old name may be seen before its deletion was."""
        memory = self._memories.get(key)
        if memory is not None and memory.uid != account["metadata"]["uid"]:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        memory = self._memories.pop(key, None)
        if memory is not None and memory.plan is not None:
            self.reports.forget(memory.plan.identity)
        self.rollouts.forget(key)
        self.chronicle.forget(key)
        self.buses.drop(key)

    async def _uphold(self, key: Key, observed: Observed) -> float | None:
        account = observed.account
        assert account is not None
        memory = self._memories.setdefault(key, self._new_memory(account))
        steps, waits = Steps(), []
        rotation, due_s = self._read_rotation(account, steps)
        try:
            plan = self._plan(memory, account, rotation)
        except ConfigurationError as error:
            steps.failures.append(Problem(reason_of(error), str(error)))
            plan = None
        if plan is not None:
            await self._claim(account)
            waits = [due_s, *await self._apply(key, plan, memory, steps)]
            waits.append(await self._cut(account, plan, memory))
        waits.append(await self._publish(key, plan, memory, steps))
        waits.append(await self.chronicle.record(key, self.cache.get(key)))
        steps.raise_if_failed()
        return min((wait for wait in waits if wait is not None), default=None)

    def _new_memory(self, account: Manifest) -> Memory:
        applier = Applier(self.kube, self.clock)
        return Memory(account["metadata"]["uid"], applier, status_written_s=self.clock())

    def _read_rotation(self, account: Manifest, steps: Steps) -> tuple[Rotation, float | None]:
        try:
            return read_rotation(account, self.wall())
        except ConfigurationError as error:
            steps.failures.append(Problem("InvalidRotation", str(error)))
            return Rotation.carried_out(read_revoked(account)), None

    def _plan(self, memory: Memory, account: Manifest, rotation: Rotation) -> Plan:
        """The plan of this generation, made once; a new one when the credentials' period is over, when they
        are to be renewed before that, or when the servers are to be verified by another authority."""
        metadata, authority = account["metadata"], self.buses.shared.read_authority()
        wanted = (metadata["uid"], metadata["generation"], self.aliases.version)
        known = memory.plan_of == wanted and memory.authority == authority and memory.rotation == rotation
        if memory.plan is None or not known or self.wall() >= memory.plan.pair.renew_at:
            memory.plan = build_plan(
                account,
                self.settings,
                self.catalogue,
                self._build_pair,
                find_aliases=self.aliases.of,
                gateway_key=self.buses.shared.gateway_key,
                authority=authority,
                rotation=rotation,
            )
            if (memory.authority, memory.rotation.renewed_s) != (authority, rotation.renewed_s):
                memory.secret_for, memory.secret_written_s = 0, 0.0
            memory.plan_of, memory.authority, memory.rotation = wanted, authority, rotation
        return memory.plan

    def _build_pair(
        self, identity: AccountIdentity, limits: AccountLimits, rotation: Rotation
    ) -> AccountPair:
        return self.buses.of(Key(identity.namespace, identity.name)).pair(identity, limits, rotation)

    async def _claim(self, account: Manifest) -> None:
        if not has_finalizer(account):
            metadata = account["metadata"]
            patch = build_finalizer_patch(account, present=True)
            claimed = await self.kube.merge_patch(
                TRADING_ACCOUNT, metadata["namespace"], metadata["name"], patch
            )
            self.cache.observe(claimed)

    async def _apply(self, key: Key, plan: Plan, memory: Memory, steps: Steps) -> list[float | None]:
        confined = [child for child in plan.children if child["kind"] != DEPLOYMENT.kind]
        running = [child for child in plan.children if child["kind"] == DEPLOYMENT.kind]
        waits: list[float | None] = [plan.pair.renew_at - self.wall()]
        has_access, *_ = await asyncio.gather(
            self._give_access(key, plan, memory, steps),
            *(steps.attempt(_name(child), self._ensure(key, child, memory, waits)) for child in confined),
        )
        for child in running:
            if self.cache.get(key).child(child) is not None or has_access:
                await steps.attempt(_name(child), self._roll(key, plan, child, memory, waits))
        await steps.attempt("prune", self._prune(key, plan))
        return waits

    async def _give_access(self, key: Key, plan: Plan, memory: Memory, steps: Steps) -> bool:
        """Whether a pod can start now.

        The Secret comes second: credentials of an account that the servers do not know shut a running pod
        out. It waits for nothing else: a log that takes no control value must not hold up a rotation.
        """
        if not await steps.attempt("NATS accounts", self._provision(key, plan, memory)):
            return False
        given = await asyncio.gather(
            steps.attempt("credentials Secret", self._write_secret(plan, memory)),
            steps.attempt("control value", self._tell(key, plan, memory, steps)),
        )
        return all(given)

    async def _provision(self, key: Key, plan: Plan, memory: Memory) -> None:
        if self._silent(key, memory):
            self.buses.forget(key)
        if await self.buses.of(key).provision(plan.identity, plan.limits, plan.rotation):
            memory.provisioned_s = self.clock()

    async def _tell(self, key: Key, plan: Plan, memory: Memory, steps: Steps) -> None:
        bus = self.buses.of(key)
        # State and risk reach the pods whatever becomes of another strategy; what runs is not forgotten.
        known = await self._recall_strategy(bus, plan, memory)
        await steps.attempt("strategy", self._take_up_strategy(plan, memory, known))
        await bus.write_control(plan.identity, self._control(key, plan, memory))

    async def _recall_strategy(self, bus: Provisioning, plan: Plan, memory: Memory) -> StrategyVersion | None:
        """What the control value has; BusError, and the value stays as it is, while that is not known."""
        if memory.strategy is not None or plan.account.spec.strategy.source is None:
            return memory.strategy
        stored = await bus.recall_control(plan.identity)
        return stored.strategy if stored else None

    async def _take_up_strategy(self, plan: Plan, memory: Memory, known: StrategyVersion | None) -> None:
        memory.strategy = None
        memory.strategy = await take_up(self.kube, plan.account, known)

    def _control(self, key: Key, plan: Plan, memory: Memory) -> AccountControl:
        """With the word on whether the account's exchange account is its alone.

        A mark is cleared once the claim to it is in the status: what only this process knew would be gone
        with it, and another account could claim the same.
        """
        verdict = judge_sharing(
            key, self._claim_marks(key, memory), self._claims_of_others(key), self._read_mark
        )
        kept = {claim.mark for claim in read_claims(self.cache.get(key).account or {})}
        cleared = tuple(mark for mark in verdict.cleared if mark in kept)
        return msgspec.structs.replace(
            plan.control, cleared=cleared, shared=verdict.shared, strategy=memory.strategy
        )

    def _claim_marks(self, key: Key, memory: Memory) -> tuple[Claim, ...]:
        if memory.claims is None:
            memory.claims = read_claims(self.cache.get(key).account or {})
        voices = self.reports.of(key)
        shown = next((v.execution.fingerprints for v in voices.pods if v.execution), ())
        memory.claims = build_claims(memory.claims, shown, datetime.now(UTC))
        return memory.claims

    def _claims_of_others(self, own: Key) -> Iterator[tuple[Key, tuple[Claim, ...]]]:
        for key in self.cache.accounts():
            memory, account = self._memories.get(key), self.cache.get(key).account
            if key != own and account is not None:
                known = memory.claims if memory else None
                yield key, read_claims(account) if known is None else known

    def _read_mark(self, key: Key, mark: str) -> str:
        return self.buses.shared.open_mark(AccountIdentity(self.settings.installation, *key), mark)

    def _silent(self, key: Key, memory: Memory) -> bool:
        """Nobody reports although pods are ready: perhaps NATS has lost the account."""
        voices = self.reports.of(key)
        waited = self.clock() - memory.provisioned_s > FRESH_S
        if voices.pods or not voices.settled or not waited or not _ready_replicas(self.cache.get(key)):
            return False
        memory.provisioned_s = self.clock()
        return True

    async def _write_secret(self, plan: Plan, memory: Memory) -> None:
        if memory.secret_for != plan.pair.renew_at:
            memory.secret_uid = await write_secret(self.kube, plan.secret, memory.secret_uid)
            memory.secret_for = plan.pair.renew_at
            memory.secret_written_s = memory.secret_written_s or self.wall()

    async def _cut(self, account: Manifest, plan: Plan, memory: Memory) -> float | None:
        """Refuse older credentials once the pods had time to take up the new ones; seconds until then."""
        if memory.secret_for != plan.pair.renew_at:
            return None  # the new Secret is not written
        wait_s = hold_s(plan.rotation, memory.secret_written_s, self.wall())
        if wait_s is None or wait_s > 0:
            return wait_s
        until_s = plan.rotation.renewed_s
        if memory.revoked_s < until_s:
            memory.revoked_s = until_s
            note = "NATS credentials from before the renewal are refused from now on"
            await self.publisher.tell(account, "CredentialsRevoked", note)
        # The servers are told by the next reconcile, when it stands in the status.
        return _REVOKE_S

    async def _ensure(self, key: Key, child: Manifest, memory: Memory, waits: list[float | None]) -> None:
        observed = self.cache.get(key)
        applied = await memory.applier.ensure(child, observed.child(child))
        self.cache.observe(applied.live)
        if applied.wait_s > 0:
            waits.append(applied.wait_s)
        if applied.repaired is not None and observed.account is not None:
            note = f"put back {applied.repaired.message}"
            await self.publisher.tell(observed.account, "DriftRepaired", note, kind="Warning")

    async def _roll(
        self, key: Key, plan: Plan, child: Manifest, memory: Memory, waits: list[float | None]
    ) -> None:
        # What runs meanwhile runs on, and hears of state and risk.
        check_image(plan.account.spec.strategy, self.settings.runtime)
        if self._admits(key, child, memory):
            await self._ensure(key, child, memory, waits)
        else:
            waits.append(_ROLLOUT_RECHECK_S)

    def _admits(self, key: Key, child: Manifest, memory: Memory) -> bool:
        return self.rollouts.admit(key, memory.plan_of[1], child, self.cache.get(key).deployment)

    async def _prune(self, key: Key, plan: Plan) -> None:
        observed = self.cache.get(key)
        for child in superfluous(observed.managed, plan.children, plan.account.metadata["uid"]):
            metadata = child["metadata"]
            await self.kube.delete(kind_of(child), key.namespace, metadata["name"], uid=metadata["uid"])

    async def _publish(self, key: Key, plan: Plan | None, memory: Memory, steps: Steps) -> float | None:
        observed = self.cache.get(key)
        if observed.account is None:
            return None
        problems, recheck_s = await self._diagnose(key, memory)
        findings = self._findings(key, observed, plan, memory, steps, problems)
        written, again_s = await self.publisher.publish(observed.account, findings, memory.status_written_s)
        if written:
            memory.status_written_s = self.clock()
        waits = [
            again_s,
            recheck_s,
            self.reports.next_silence_s(key),
            None if findings.voices.settled else FRESH_S,
            self._recheck_sharing_s(key, memory),
        ]
        return min((wait for wait in waits if wait is not None), default=None)

    def _recheck_sharing_s(self, key: Key, memory: Memory) -> float | None:
        """A claim that was just written can be cleared; and another account may go, which nothing tells."""
        claims = memory.claims or ()
        known = self.buses.control_of(key)
        shared = judge_sharing(key, claims, self._claims_of_others(key), self._read_mark).shared
        if known is not None and not shared and {claim.mark for claim in claims} - set(known.cleared):
            return CLAIM_RECHECK_S
        return SHARED_RECHECK_S if shared else None

    def _findings(
        self,
        key: Key,
        observed: Observed,
        plan: Plan | None,
        memory: Memory,
        steps: Steps,
        problems: list[Problem],
    ) -> Findings:
        assert observed.account is not None
        return Findings(
            generation=observed.account["metadata"]["generation"],
            voices=self.reports.of(key),
            failures=tuple(steps.failures),
            pod_problems=tuple(problems),
            contested=tuple(memory.applier.contested()),
            pending_fields=plan.pending_fields if plan else (),
            replicas=plan.replicas if plan else 1,
            ready_replicas=_ready_replicas(observed),
            claims=self._claim_marks(key, memory),
            revoked_s=max(memory.revoked_s, read_revoked(observed.account)),
        )

    async def _diagnose(self, key: Key, memory: Memory) -> tuple[list[Problem], float | None]:
        """What is wrong with the pods, and when to look again at those that are stuck."""
        observed, now = self.cache.get(key), datetime.now(UTC)
        stuck = stuck_pods(observed.pods, now)
        if stuck and self.clock() - memory.warnings_read_s >= _STUCK_RECHECK_S:
            memory.warnings_read_s = self.clock()
            memory.warnings = await self._read_warnings(key, stuck)
            self._heed(memory)
        memory.warnings = {name: problem for name, problem in memory.warnings.items() if name in stuck}
        starting = _ready_replicas(observed) < len(observed.pods)
        problems = diagnose(observed.deployment, observed.pods, memory.warnings, now)
        return problems, _STUCK_RECHECK_S if stuck or starting else None

    async def _read_warnings(self, key: Key, pods: list[str]) -> dict[str, Problem]:
        found = {}
        for pod in pods:
            selector = f"involvedObject.kind=Pod,involvedObject.name={pod}"
            events = await self.kube.list_objects(CORE_EVENT, key.namespace, field_selector=selector)
            warning = newest_warning(events)
            if warning:
                found[pod] = warning
        return found

    def _heed(self, memory: Memory) -> None:
        """A pod that cannot mount our Secret tells that it is gone: we may not look ourselves."""
        if memory.plan is None:
            return
        name = memory.plan.secret["metadata"]["name"]
        if any(
            p.reason == "FailedMount" and f'"{name}" not found' in p.message for p in memory.warnings.values()
        ):
            memory.secret_for = 0


def _ready_replicas(observed: Observed) -> int:
    deployment = observed.deployment or {}
    return int((deployment.get("status") or {}).get("readyReplicas") or 0)


def _name(child: Manifest) -> str:
    return f"{child['kind']} {child['metadata']['name']}"

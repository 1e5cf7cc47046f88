"""Two accounts on a real nats-server: a victim that trades, and an attacker with credentials of their own.

A guard is switched off by signing the attacker's accounts and users otherwise; server, provisioner and victim
stay the same. The guards of the server's own configuration (`SETTINGS`) need a server each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import Popen
from typing import Any
from unittest.mock import patch

from smarttrade.bus import accounts, assets, jetstream, jwt, provision, subjects
from smarttrade.bus.accounts import AccountLimits, AccountPair
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Report
from tests.attacks.bus.victim import CONTROL, PATIENCE_S, Victim
from tests.attacks.wire import Credentials, Wire

POD = "mallory-0"
LIMITS = AccountLimits(log_bytes=1024 * 1024)
ROOMY = AccountLimits(log_bytes=8 * 1024 * 1024)
VICTIM = AccountIdentity("attacks", "victim", "victim")
FOREVER = -1
# A stream of the trail's name that lies in the account of the log.
_LOOSE = {"name": subjects.TRAIL_STREAM, "subjects": ["loose"], "max_bytes": 1024, "storage": "file"}
# Guards that keep everybody out of the platform's own accounts.
_PLATFORMS = {"system account": (accounts.SYSTEM,), "platform account": (accounts.PLATFORM,)}
# Keys of an installation that an attacker has made.
FOREIGN = OperatorKeys.generate()


def _trust_foreign(keys: OperatorKeys) -> str:
    """The operator's token names another installation's signing key beside its own."""
    assert keys.root is not None
    claims = jwt.build_operator_claims(keys.signing.public, keys.account(accounts.SYSTEM).public)
    claims["signing_keys"].append(FOREIGN.signing.public)
    token = jwt.encode(keys.root, keys.root.public, "trusting", claims, keys.created)
    static = accounts.build_static_accounts(keys) | accounts.build_static_accounts(FOREIGN)
    known = "".join(f"{public}: {token}\n" for public, token in static.items())
    return f"operator: {token}\nresolver_preload {{\n{known}}}\n"


def _admit_nobody(keys: OperatorKeys) -> str:
    """Whoever shows no token is a user of the platform's account, without rights."""
    claims = jwt.build_user_claims(keys.account(accounts.PLATFORM).public, [], [])
    signer, user = keys.account_signing(accounts.PLATFORM), keys.user("sentinel")
    token = jwt.encode(signer, user.public, "sentinel", claims | {"bearer_token": True}, keys.created)
    return f'default_sentinel: "{token}"\n'


SETTINGS: dict[str, Callable[[OperatorKeys], str]] = {
    "operator key": _trust_foreign,
    "everybody needs a token": _admit_nobody,
}
"""The server's own guards, and the words in its configuration that switch them off."""


class LaxServer(LocalServer):
    """A server with one of its own guards switched off."""

    def __init__(self, guard: str, keys: OperatorKeys, store_dir: Path, *, binary: Path) -> None:
        super().__init__(keys, store_dir, binary=binary)
        self._words = SETTINGS[guard](keys)

    def _spawn(self, config: Path) -> Popen[bytes]:
        config.write_text(config.read_text() + self._words)
        return super()._spawn(config)


@dataclass
class Scene:
    """What an attempt gets. `off` names the guards that are switched off for it."""

    server: LocalServer
    keys: OperatorKeys
    provisioner: Provisioner
    victim: Victim
    victims: AccountPair
    reports: list[tuple[str, str, Report]]
    number: int
    off: frozenset[str] = frozenset()
    _open: list[Any] = field(default_factory=list)
    _prey: Connection | None = None
    _preys_monitoring: Connection | None = None
    _preys_evaluation: Connection | None = None

    @property
    def identity(self) -> AccountIdentity:
        """A new one for each attempt, so that none finds what another has left."""
        return AccountIdentity("attacks", "mallory", f"mallory-{self.number}")

    @property
    def target(self) -> AccountIdentity:
        """Whom to attack: the victim that trades, or somebody who does not matter where a guard is off."""
        return AccountIdentity("attacks", "prey", f"prey-{self.number}") if self.off else VICTIM

    async def prepare(self) -> None:
        """The attacker's accounts, as the operator makes them, with what is switched off."""
        if self.off:
            await self._provide_prey()
        limits = ROOMY if "log size" in self.off else LIMITS
        self.pair = self._weaken(accounts.build_accounts(self.keys, self.identity, limits))
        await self.provisioner.push(self.pair)
        await self.provisioner.ensure_assets(self.identity, limits=limits)
        await self.provisioner.write_control(self.identity, CONTROL)
        if "denials" in self.off:
            await self._permit_deletion()
        if "the stream's subjects" in self.off:
            await self._store_decisions()
        if "report rates" in self.off:
            await self._read_all_reports()
        if "trail apart" in self.off:
            await self._ask(await self.overseer(), "CREATE", _LOOSE)

    async def close(self) -> None:
        for opened in reversed(self._open):
            await opened.close()
        await self.provisioner.delete(self.identity)
        if self.off:
            await self.provisioner.delete(self.target)

    async def pulse(self) -> None:
        """Returns after the target has sent prices and fills, and has logged orders."""
        if self._prey is None or self._preys_monitoring is None or self._preys_evaluation is None:
            await self.victim.goes_on()
            return
        asked = await self._prey.subscribe(subjects.decide("prey-0"))
        await self._prey.flush()
        await self._preys_evaluation.publish(subjects.decide("prey-0"), b"buy 1", reply="_INBOX.evaluation.1")
        await (await asked.next_msg(timeout=PATIENCE_S)).respond(b"accepted")
        await self.records()
        await self._preys_monitoring.publish(subjects.market("prey-0", "quote"), b"price 1")
        await self._preys_monitoring.flush()
        await self._prey.publish(subjects.fill("prey-0"), b"fill 1")
        await self._prey.publish(subjects.report("execution"), b"report 1")
        await self._prey.flush()

    async def records(self) -> list[bytes]:
        """The newest of the target's log, the first ones first."""
        nc = self._prey or await self.connect(self.victims, "execution")
        return [payload async for _, payload, _ in AccountLog(nc).read()]

    def reported(self, role: str) -> int:
        """How many reports the operator has taken in from one role of the attacker's account."""
        return sum((token, sender) == (self.identity.token, role) for token, sender, _ in self.reports)

    def credentials(self, role: str) -> Credentials:
        """What lies in the attacker's own Secret."""
        return Credentials.parse(self.pair.credentials[role])

    async def enter(self, role: str, credentials: Credentials | None = None, **options: Any) -> Wire:
        """A raw connection with the role's own credentials, or others."""
        wire = await Wire.log_in(self.server.port, credentials or self.credentials(role), **options)
        self._open.append(wire)
        await wire.settle()
        return wire

    async def dial(self) -> Wire:
        wire = await Wire.dial(self.server.port)
        self._open.append(wire)
        return wire

    async def container(self, role: str) -> Connection:
        """The attacker's own honest container, as the platform runs it."""
        ours = accounts.build_accounts(self.keys, self.identity, LIMITS)
        return await self.connect(self.pair if "answers" in self.off else ours, role)

    async def trail_overseer(self) -> Wire:
        """Where the attacker's trail was made."""
        return await self.overseer("core" if "trail apart" in self.off else "trail")

    async def has_trail(self, overseer: Wire) -> bool:
        """Whether it is still there."""
        return b'"config"' in await self._ask(overseer, "INFO")

    async def leave_a_trace(self) -> None:
        """One record in the attacker's log, and so in the trail."""
        log = AccountLog(await self.container("execution"))
        await log.append(b"a trace", after=0, message_id="trace")

        overseer = await self.overseer("trail")

        async def kept() -> bool:
            return b'"messages":1' in await self._ask(overseer, "INFO")

        assert await soon(kept), "the trail has it"

    async def length(self, overseer: Wire, stream: str) -> int:
        """How many records a stream holds."""
        return int(json.loads(await self._ask(overseer, "INFO", stream=stream))["state"]["messages"])

    async def _store_decisions(self) -> None:
        """The log again, as it would be if it took in more than is written to it."""
        config = assets.build_stream_config(LIMITS.log_bytes)
        config["subjects"] = [*config["subjects"], "decide.*"]
        await self._ask(await self.overseer(), "UPDATE", config, subjects.STREAM)

    async def _read_all_reports(self) -> None:
        """From a second operator, which takes in whatever is sent."""
        reports: list[tuple[str, str, Report]] = []
        self.reports = reports
        operator = Provisioner(self.server.url, self.keys, timeout_s=PATIENCE_S)
        await operator.connect()
        self._open.append(operator)

        async def reported(token: str, role: str, report: Report) -> None:
            reports.append((token, role, report))

        with patch.multiple(provision, _REPORTS_PER_S=1e9, _REPORTS=1e9):
            await operator.serve_reports(reported)

    async def _permit_deletion(self) -> None:
        """The trail again, as it would be without what it refuses."""
        overseer = await self.overseer("trail")
        await self._ask(overseer, "DELETE")
        config = assets.build_trail_config(LIMITS.trail_bytes, assets.Retention())
        await self._ask(overseer, "CREATE", config | {"deny_delete": False, "deny_purge": False})

    async def _ask(
        self,
        overseer: Wire,
        verb: str,
        body: dict[str, Any] | None = None,
        stream: str = subjects.TRAIL_STREAM,
    ) -> bytes:
        inbox = f"_INBOX.overseer.{len(overseer.heard)}"
        overseer.subscribe(inbox)
        payload = json.dumps(body).encode() if body else b""
        overseer.publish(f"$JS.API.STREAM.{verb}.{stream}", payload, reply=inbox)
        answers: list[bytes] = []

        def answered() -> bool:
            answers.extend(heard.payload for heard in overseer.heard if heard.subject == inbox)
            return bool(answers)

        assert await soon(answered), f"{verb} is answered"
        return answers[0]

    async def overseer(self, kind: str = "core") -> Wire:
        """A user that may do everything in one of the attacker's accounts: the test's own eyes and mouth."""
        user = self.keys.user("overseer", self.identity.key)
        core = self.keys.account(kind, self.identity.key).public
        claims = jwt.build_user_claims(core, [">"], [">"])
        signer = self.keys.account_signing(kind, self.identity.key)
        token = jwt.encode(signer, user.public, "overseer", claims, self.keys.created - 60)
        return await self.enter("overseer", Credentials(token, user.seed))

    async def listen(self, place: str) -> Wire:
        """Hears all that is delivered to a place in the attacker's core account."""
        ear = await self.overseer()
        ear.subscribe(place)
        await ear.settle()
        return ear

    async def control(self, pair: AccountPair | None = None) -> bytes:
        """The bytes under the account's control value."""
        nc = await self.connect(
            pair or accounts.build_accounts(self.keys, self.identity, LIMITS), "monitoring"
        )
        stored = await jetstream.last_direct(nc, subjects.STREAM, subjects.CONTROL)
        return stored.payload if stored else b""

    async def connect(self, pair: AccountPair, role: str) -> Connection:
        """An honest container of one of the accounts."""

        async def closed() -> None:
            return None

        nc = await connect(
            self.server.url, name=role, role=role, credentials=pair.credentials[role], on_closed=closed
        )
        self._open.append(nc)
        return nc

    async def _provide_prey(self) -> None:
        pair = accounts.build_accounts(self.keys, self.target, LIMITS)
        if "signing keys" in self.off:
            claims = accounts.build_core_claims(self.keys, self.target, LIMITS)
            signers = [self.target.key, self.identity.key]
            pair = replace(pair, core_jwt=self._sign("core", claims, self.target, signers))
        await self.provisioner.push(pair)
        await self.provisioner.ensure_assets(self.target, limits=LIMITS)
        await self.provisioner.write_control(self.target, CONTROL)
        self._prey = await self.connect(pair, "execution")
        self._preys_monitoring = await self.connect(pair, "monitoring")
        self._preys_evaluation = await self.connect(pair, "evaluation")
        for number in (1, 2):
            await AccountLog(self._prey).append(
                b"order %d" % number, after=2 * number - 2 and 2, message_id=f"prey-{number}"
            )

    # --- guards ---------------------------------------------------------------------------------------

    def _weaken(self, pair: AccountPair) -> AccountPair:
        weakened = pair
        if {"limits", "trail apart"} & self.off:
            weakened = self._unlimited(weakened)
        if "report subject" in self.off:
            weakened = self._any_report(weakened)
        if "imports" in self.off:
            weakened = self._import_from_target(weakened)
        return replace(
            weakened, credentials={role: self._user(role, text) for role, text in pair.credentials.items()}
        )

    def _user(self, role: str, text: str) -> str:
        """The role's user, in another account or with other permissions where the guard for it is off."""
        seed = Credentials.parse(text).seed
        public = jwt.decode(Credentials.parse(text).token)["sub"]
        owner = self.target if "accounts" in self.off else self.identity
        kind = accounts.home_of(role)
        kind = "core" if f"{kind} account" in self.off else kind
        kind = "trail" if "trail account" in self.off and role == "execution" else kind
        publish, subscribe = accounts.build_permissions(role)
        if "strategy account" in self.off and role == "evaluation":
            # What anybody needs who reads a stream of their account by a consumer.
            publish = [*publish, "$JS.API.>", "$JS.ACK.>"]
        if "allow-lists" in self.off:
            publish, subscribe = [">"], [">"]
        home = next((words for guard, words in _PLATFORMS.items() if guard in self.off), (kind, owner.key))
        claims = jwt.build_user_claims(self.keys.account(*home).public, publish, subscribe)
        if "answers" in self.off:
            claims["resp"] = {"max": 1, "ttl": 10_000_000_000}
        signer = self.keys.account_signing(*home)
        return jwt.format_credentials(jwt.encode(signer, public, role, claims, self.keys.created - 60), seed)

    def _unlimited(self, pair: AccountPair) -> AccountPair:
        core = self._limits_off(accounts.build_core_claims(self.keys, self.identity, LIMITS))
        strategy = self._limits_off(accounts.build_strategy_claims(self.keys, self.identity, LIMITS))
        return replace(pair, core_jwt=self._sign("core", core), strategy_jwt=self._sign("strategy", strategy))

    def _any_report(self, pair: AccountPair) -> AccountPair:
        """As if the account might choose in which account's name it reports."""
        claims = accounts.build_monitoring_claims(self.keys, self.identity, LIMITS)
        claims["imports"] = [
            {
                "name": "report",
                "account": self.keys.account(accounts.PLATFORM).public,
                "subject": subjects.platform_report("*", "*"),
                "type": "service",
            }
        ]
        return replace(pair, monitoring_jwt=self._sign("monitoring", claims))

    def _import_from_target(self, pair: AccountPair) -> AccountPair:
        """As if the account might choose from whom it imports what a trail needs of its account."""
        claims = self._limits_off(accounts.build_core_claims(self.keys, self.identity, LIMITS))
        target = accounts.core_key(self.keys, self.target).public
        trails = accounts.build_trail_claims(target, LIMITS)["imports"]
        claims["imports"] = [*claims["imports"], *trails]
        return replace(pair, core_jwt=self._sign("core", claims))

    def _limits_off(self, claims: jwt.Claims) -> jwt.Claims:
        free = dict.fromkeys(claims["limits"], FOREVER) | {"wildcards": True, "max_bytes_required": False}
        if "mem_storage" not in claims["limits"]:
            return claims | {"limits": free}
        return claims | {"limits": free | {"max_ack_pending": FOREVER}}

    def _sign(
        self,
        kind: str,
        claims: jwt.Claims,
        identity: AccountIdentity | None = None,
        signers: Sequence[str] = (),
    ) -> str:
        """The account's token; `signers` are the keys of the identities that sign its users."""
        key = (identity or self.identity).key
        whole = {
            "type": "account",
            "version": 2,
            "signing_keys": [self.keys.account_signing(kind, signer).public for signer in signers or [key]],
            **claims,
            "tags": [accounts.content_tag(claims), "weakened"],
        }
        public = self.keys.account(kind, key).public
        return jwt.encode(self.keys.signing, public, f"{key}/{kind}", whole, self.keys.created)


@dataclass
class Stage:
    """The server and the victim, for many scenes."""

    server: LocalServer
    keys: OperatorKeys
    provisioner: Provisioner
    victim: Victim
    victims: AccountPair
    reports: list[tuple[str, str, Report]]
    _scenes: int = 0

    @classmethod
    async def open(cls, server: LocalServer, keys: OperatorKeys) -> Stage:
        provisioner = Provisioner(server.url, keys, timeout_s=PATIENCE_S)
        await provisioner.connect()
        reports: list[tuple[str, str, Report]] = []

        async def reported(token: str, role: str, report: Report) -> None:
            reports.append((token, role, report))

        await provisioner.serve_reports(reported)
        pair = accounts.build_accounts(keys, VICTIM)
        await provisioner.push(pair)
        await provisioner.ensure_assets(VICTIM)
        await provisioner.write_control(VICTIM, CONTROL)
        victim = Victim(server.url, pair)
        await victim.start()
        return cls(server, keys, provisioner, victim, pair, reports)

    async def renew(self) -> None:
        """Another victim in place of one that lost something; it goes on after the last record of the log."""
        await self.victim.close()
        self.victim = Victim(self.server.url, self.victims)
        await self.victim.start()

    async def scene(self, *off: str) -> Scene:
        self._scenes += 1
        scene = Scene(
            self.server,
            self.keys,
            self.provisioner,
            self.victim,
            self.victims,
            self.reports,
            self._scenes,
            frozenset(off),
        )
        await scene.prepare()
        return scene

    async def close(self) -> None:
        await self.victim.close()
        await self.provisioner.close()


async def soon(condition: Callable[[], bool | Awaitable[bool]], within_s: float = 30.0) -> bool:
    """Whether it comes true within the bound."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                answer = condition()
                if answer if isinstance(answer, bool) else await answer:
                    return True
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False

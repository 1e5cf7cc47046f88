"""Credentials change at two thirds of their life, whatever day the clock says it is, and nobody is cut off.

The operator runs in this process, with a clock that the test sets: everything else is real.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from smarttrade.bus import connection as connections
from smarttrade.bus.accounts import LIFETIME_S, RENEWAL_S, build_accounts
from smarttrade.bus.connection import Callback, connect
from smarttrade.bus.jetstream import BusTimeoutError
from smarttrade.bus.jwt import decode
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.rotation import ROTATE
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.kinds import TRADING_ACCOUNT
from smarttrade_operator.kube import Kube
from smarttrade_operator.names import Key
from smarttrade_operator.rotation import HOLD_S
from smarttrade_operator.service import Operator, build_operator
from smarttrade_operator.settings import Settings
from smarttrade_operator.steps import StepsFailed
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Manifest, Namespace, build_account, eventually


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Renewal:
    """One account, reconciled when the test says so."""

    def __init__(self, operator: Operator, namespace: Namespace, name: str, clock: Clock) -> None:
        self._operator, self._namespace, self.clock = operator, namespace, clock
        self._key = Key(namespace.name, name)

    async def reconcile(self) -> float:
        """Seconds after which the operator wants to come again."""
        account = self._namespace.get("TradingAccount", self._key.name)
        self._operator.cache.observe({"apiVersion": "", "kind": TRADING_ACCOUNT.kind, **account})
        again_s = await self._operator.reconciler.reconcile(self._key)
        assert again_s is not None
        return again_s

    def resync(self) -> None:
        self._operator.reconciler.distrust(self._key)

    def ask(self, moment: str | None) -> None:
        """Annotate the object, or take the annotation away."""
        change = {"metadata": {"annotations": {ROTATE: moment}}}
        path = self._namespace.path("TradingAccount", self._key.name)
        assert self._namespace.client.merge(path, change).status == 200

    def restart(self) -> None:
        """What only a running operator knows is lost."""
        self._operator.reconciler._forget(self._key)

    @property
    def status(self) -> Manifest:
        account = self._namespace.get("TradingAccount", self._key.name)
        status: Manifest = account.get("status") or {}
        return status

    def verify_by(self, authority: Path) -> None:
        self._operator.buses.shared.authority = authority

    @property
    def secret(self) -> Manifest:
        return self._namespace.get("Secret", f"{self._key.name}-nats")

    @property
    def renew_at(self) -> float:
        return float(self.secret["metadata"]["annotations"]["smarttrade.io/renew-at"])

    def credentials(self, role: str) -> bytes:
        return b64decode(self.secret["data"][f"{role}.creds"])


@pytest_asyncio.fixture
async def renewal(
    make_operator: MakeOperator,
    nats: LocalServer,
    namespace: Namespace,
    keys: OperatorKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Renewal]:
    """An account whose credentials are those of the period before today's, which are still valid."""
    environment = make_operator(nats).environment
    monkeypatch.setenv("KUBECONFIG", environment["KUBECONFIG"])
    clock, name = Clock(), _young_account(keys, namespace)
    clock.now -= RENEWAL_S
    async with await Kube.connect() as kube:
        operator = build_operator(Settings.from_environment(environment), kube, wall=clock)
        job = asyncio.create_task(operator.buses.shared.run())
        async with asyncio.timeout(20):
            while not operator.buses.shared.connected:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        await operator.kill_switch.look()
        namespace.create("TradingAccount", build_account(name))
        renewal = Renewal(operator, namespace, name, clock)
        await renewal.reconcile()
        yield renewal
        job.cancel()


def _young_account(keys: OperatorKeys, namespace: Namespace) -> str:
    """A name whose period began a short while ago: each account has its own days."""
    for number in itertools.count():
        identity = AccountIdentity(namespace.installation, namespace.name, f"alice-{number}")
        began = build_accounts(keys, identity).renew_at - RENEWAL_S
        if time.time() - began < (LIFETIME_S - RENEWAL_S) / 2:
            return identity.name
    raise AssertionError


async def test_credentials_are_renewed_at_two_thirds_of_their_life(renewal: Renewal) -> None:
    first, due = renewal.secret, renewal.renew_at
    claims = decode(renewal.credentials("execution").decode().splitlines()[1])
    assert claims["exp"] - claims["iat"] == LIFETIME_S
    assert due - claims["iat"] == pytest.approx(LIFETIME_S * 2 / 3)

    renewal.clock.now = due - 1
    await renewal.reconcile()
    renewal.resync()
    await renewal.reconcile()
    assert renewal.secret == first, "not a moment too early, and a resync writes the same bytes"

    renewal.clock.now = due
    await renewal.reconcile()
    assert renewal.secret["data"] != first["data"]
    assert renewal.renew_at == due + RENEWAL_S


@pytest.mark.parametrize("jump_s", [RENEWAL_S, 5 * LIFETIME_S], ids=["a period", "months"])
async def test_a_clock_that_jumps_ahead_is_caught_up_with_at_once(renewal: Renewal, jump_s: float) -> None:
    due = renewal.renew_at
    renewal.clock.now = due + jump_s
    await renewal.reconcile()
    assert renewal.clock.now < renewal.renew_at <= renewal.clock.now + RENEWAL_S
    assert (renewal.renew_at - due) % RENEWAL_S == 0


async def test_a_clock_that_was_ahead_and_is_set_right_leaves_valid_credentials(renewal: Renewal) -> None:
    right = renewal.clock.now
    renewal.clock.now += LIFETIME_S
    await renewal.reconcile()
    renewal.clock.now = right
    renewal.resync()
    await renewal.reconcile()
    claims = decode(renewal.credentials("execution").decode().splitlines()[1])
    assert claims["iat"] <= right + LIFETIME_S
    assert claims["exp"] > right


async def test_execution_writes_on_while_it_takes_up_the_new_secret(
    renewal: Renewal, nats: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun on the old credentials is finished on the new ones: no record lost, none doubled."""
    monkeypatch.setattr(connections, "_CREDENTIALS_CHECK_S", 0.1)
    file = tmp_path / "execution.creds"
    file.write_bytes(renewal.credentials("execution"))
    line = await connect(nats.url, name="p", role="execution", credentials=file, on_closed=_never)
    log, first, renewed = AccountLog(line), line.client_id, asyncio.Event()
    writing = asyncio.create_task(_write(log, renewed))
    renewal.clock.now = renewal.renew_at
    await renewal.reconcile()
    # As a kubelet does: readers see the old file or the new one, nothing in between.
    (tmp_path / "new").write_bytes(renewal.credentials("execution"))
    (tmp_path / "new").replace(file)
    async with asyncio.timeout(20):
        while line.client_id == first or not line.is_connected:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0.02)
    renewed.set()
    written = await writing
    assert [payload async for _, payload, _ in log.read()] == written
    await line.close()


async def _write(log: AccountLog, renewed: asyncio.Event) -> list[bytes]:
    """Append one record after the other, ten more once the connection is a new one; what was appended."""
    written: list[bytes] = []
    last, more = 0, 10
    while more:
        more -= renewed.is_set()
        payload = f"record {len(written)}".encode()
        last = await _append(log, payload, last)
        written.append(payload)
    return written


async def _append(log: AccountLog, payload: bytes, after: int) -> int:
    """Repeat until certain, as execution does."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await log.append(payload, after=after, message_id=payload.decode())
            except BusTimeoutError:
                await asyncio.sleep(0.02)


async def _never() -> None:
    raise AssertionError("the connection closed for good")


async def test_a_leaked_user_is_cut_off_after_the_pods_have_moved_and_never_comes_back(
    renewal: Renewal, nats: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_CREDENTIALS_CHECK_S", 0.1)
    stolen = renewal.credentials("execution").decode()
    file, cut = tmp_path / "execution.creds", asyncio.Event()
    file.write_text(stolen)
    line = await connect(nats.url, name="p", role="execution", credentials=file, on_closed=_never)
    thief = await connect(nats.url, name="t", role="execution", credentials=stolen, on_closed=_setter(cut))
    log, first, renewed = AccountLog(line), line.client_id, asyncio.Event()
    writing = asyncio.create_task(_write(log, renewed))

    renewal.clock.now += 60
    asked = datetime.fromtimestamp(renewal.clock.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    renewal.ask(asked)
    assert await renewal.reconcile() <= HOLD_S
    assert renewal.credentials("execution").decode() != stolen
    (tmp_path / "new").write_bytes(renewal.credentials("execution"))
    (tmp_path / "new").replace(file)
    async with asyncio.timeout(20):
        while line.client_id == first or not line.is_connected:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0.02)
    await thief.flush()  # nothing has ended yet: that is what the pods need

    renewal.clock.now += HOLD_S + 1
    async with asyncio.timeout(20):
        while renewal.status.get("credentialsRevokedUntil") != asked:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(await renewal.reconcile())
    assert not cut.is_set(), "the status knows it before the servers act on it"
    await renewal.reconcile()
    await asyncio.wait_for(cut.wait(), 20)
    renewed.set()
    written = await writing
    assert [payload async for _, payload, _ in log.read()] == written
    assert line.is_connected, "the pod has noticed nothing"

    renewal.ask(None)
    renewal.restart()
    await renewal.reconcile()
    with pytest.raises(BusError, match=r"(?i)authorization"):
        await connect(nats.url, name="t", role="execution", credentials=stolen, on_closed=_never)
    await line.flush()
    await line.close()


async def test_a_request_that_is_no_time_is_told_and_changes_nothing(renewal: Renewal) -> None:
    before = renewal.secret["data"]
    renewal.ask("now")
    async with asyncio.timeout(20):
        while _config_reason(renewal.status) != "InvalidRotation":  # statuses are written a moment apart
            with pytest.raises(StepsFailed, match="InvalidRotation"):
                await renewal.reconcile()
            await asyncio.sleep(0.05)
    assert renewal.secret["data"] == before


def _config_reason(status: Manifest) -> str | None:
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    return conditions.get("ConfigApplied", {}).get("reason")


def _setter(event: asyncio.Event) -> Callback:
    async def set_it() -> None:
        event.set()

    return set_it


async def test_another_authority_of_the_servers_reaches_the_pods_without_waiting_for_a_renewal(
    renewal: Renewal, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.crt"
    for text in ("first", "second"):
        authority.write_text(text)
        renewal.verify_by(authority)
        await renewal.reconcile()
        assert b64decode(renewal.secret["data"]["ca.crt"]) == text.encode()


async def test_withdrawn_passwords_are_told_to_the_gateways(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    client, path = namespace.client, f"/api/v1/namespaces/{namespace.name}/configmaps"
    earlier = json.dumps({"users.gone": int(time.time()) - 60})
    written = {"metadata": {"name": "withdrawn"}, "data": {"withdrawn.json": earlier}}
    assert client.call("POST", path, written).status == 201
    operator = make_operator(nats, GATEWAY_WITHDRAWN="withdrawn")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    until = datetime.now(UTC).replace(microsecond=0)
    revoked = {"status": {"credentialsRevokedUntil": until.isoformat()}}
    namespace.patch("TradingAccount", "alice", revoked, status=True)

    def told() -> dict[str, int]:
        found = client.call("GET", f"{path}/withdrawn").body["data"]["withdrawn.json"]
        listed: dict[str, int] = json.loads(found)
        assert listed[f"{namespace.name}.alice"] == int(until.timestamp())
        return listed

    listed = await asyncio.to_thread(eventually, told)
    assert listed["users.gone"] == json.loads(earlier)["users.gone"], "an account that is gone stays in it"

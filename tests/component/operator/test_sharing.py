"""Two accounts that show one mark: the operator clears the first, and the second learns whose it is."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode

from nats.errors import Error as NatsError

from smarttrade.bus.marks import seal
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from smarttrade.messages import AccountControl
from tests.component.operator.harness import Namespace, OperatorProcess, build_account
from tests.component.operator.pods import Pod

SHARED = (b"an API key 0000.", b"an account 0000.")


def _marks(namespace: Namespace, account: str) -> tuple[str, ...]:
    """As the account's execution seals them."""
    secret = namespace.wait("Secret", f"{account}-nats")["data"]
    key = bytes.fromhex(b64decode(secret["fingerprint.key"]).decode())
    return tuple(seal(key, each) for each in SHARED)


async def _control(pod: Pod, *, shared: bool) -> AccountControl:
    """Keep reporting until the control value says what it should."""
    generation = pod.namespace.get("TradingAccount", pod.account)["metadata"]["generation"]
    marks = _marks(pod.namespace, pod.account)
    control: AccountControl | None = None
    for _ in range(60):
        with contextlib.suppress(BusError, NatsError):  # the account is being provisioned
            await pod.report(generation, fingerprints=marks)
            control = await pod.control()
        if control is not None and (bool(control.shared) if shared else set(control.cleared) == set(marks)):
            return control
        await asyncio.sleep(0.25)
    raise AssertionError(f"{pod.account}: {control}")


async def test_the_first_is_cleared_and_the_second_is_told_whose_exchange_account_it_is(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    for name in ("alice", "bob"):
        namespace.create("TradingAccount", build_account(name))
    async with Pod(namespace, "alice", nats.url) as alice:
        first = await _control(alice, shared=False)
        assert first.shared == ""
        kept = namespace.get("TradingAccount", "alice")["status"]["exchangeMarks"]
        assert [row["mark"] for row in kept] == list(_marks(namespace, "alice"))
        async with Pod(namespace, "bob", nats.url, name="bob-pod-1") as bob:
            second = await _control(bob, shared=True)
            assert second.shared == f"TradingAccount {namespace.name}/alice"
            assert second.cleared == ()
            assert (await _control(alice, shared=False)).shared == ""

"""An account by hand: the real command, the real API server, real execution processes.

The user has a kubeconfig and nothing else, with the rights that docs/by-hand.md names and no other. What
stands between is in `exec_node`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import yaml

from cluster.api import Api, ApiRefused
from cluster.controlplane import ControlPlane
from smarttrade.api.crds.document import render
from smarttrade.messages import OrderStyle
from tests.component.execution.exec_node import ExecNode
from tests.component.execution.theatre import BTC, ETH, Theatre, eventually

RIGHTS = [
    {"apiGroups": ["smarttrade.io"], "resources": ["tradingaccounts"], "verbs": ["get", "patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]},
]
CLUSTER_WIDE = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Result(NamedTuple):
    code: int
    output: str


class User:
    """Somebody with a kubeconfig, in a namespace with one account whose pods are a theatre's."""

    def __init__(self, kubeconfig: Path, api: Api, node: ExecNode, theatre: Theatre) -> None:
        self._administrators = kubeconfig
        self._kubeconfig = theatre._directory / "users.kubeconfig"
        self._api = api
        self.node = node
        self.theatre = theatre
        self.namespace = f"hand-{uuid.uuid4().hex[:8]}"
        self._path = f"/apis/smarttrade.io/v1alpha1/namespaces/{self.namespace}/tradingaccounts/alice"

    async def settle(self, **spec: Any) -> None:
        """The object as the operator of the theatre has written it into the bus."""
        await asyncio.to_thread(self._create, spec)
        await self.theatre.control(**spec)

    def _create(self, spec: dict[str, Any]) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self._api.apply(f"/api/v1/namespaces/{self.namespace}", namespace)
        everyone = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self._api.apply(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default", everyone)
        full = self.theatre.build_spec(**spec).model_dump(mode="json", by_alias=True, exclude_none=True)
        account = {
            "apiVersion": "smarttrade.io/v1alpha1",
            "kind": "TradingAccount",
            "metadata": {"name": "alice", "namespace": self.namespace},
            "spec": full,
        }
        self._api.apply(self._path, account)
        self._kubeconfig.write_text(json.dumps(self._build_kubeconfig(self._grant())))

    def _grant(self) -> str:
        """A user `ann` with these rights in this namespace; her token."""
        meta = {"name": "ann", "namespace": self.namespace}
        core, group = f"/api/v1/namespaces/{self.namespace}", "rbac.authorization.k8s.io"
        rules = f"/apis/{group}/v1/namespaces/{self.namespace}"
        ann = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
        role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": RIGHTS}
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "ann"},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        }
        self._api.apply(f"{core}/serviceaccounts/ann", ann)
        self._api.apply(f"{rules}/roles/ann", role)
        self._api.apply(f"{rules}/rolebindings/ann", binding)
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = json.loads(self._api.call("POST", f"{core}/serviceaccounts/ann/token", request))
        return str(answer["status"]["token"])

    def _build_kubeconfig(self, token: str) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(self._administrators.read_text())
        return whole | {"users": [{"name": whole["users"][0]["name"], "user": {"token": token}}]}

    async def pod(self, name: str) -> None:
        """A pod of the account: its execution process, and the pod object that leads to it."""
        await self.theatre.start(name)
        environment = {"SMARTTRADE_COMMAND_SOCKET": str(self.theatre.socket_of(name))}
        await asyncio.to_thread(self.node.add_pod, self.namespace, "alice", name, environment)

    def account(self) -> dict[str, Any]:
        return self._api.get(self._path)

    def report(self, **status: Any) -> None:
        """In the operator's stead: write the status."""
        account = self.account()
        kept = {"apiVersion": account["apiVersion"], "kind": account["kind"]}
        kept["metadata"] = {"name": "alice", "namespace": self.namespace}
        self._api.apply(f"{self._path}/status", kept | {"status": status})

    async def smarttrade(self, *arguments: str) -> Result:
        """Run the command as the user would; output and errors together."""
        environment = os.environ | {"KUBECONFIG": str(self._kubeconfig), "COLUMNS": "200"}
        command = [sys.executable, "-m", "smarttrade.cli.main", *arguments, "-n", self.namespace]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(), 90)
        return Result(process.returncode or 0, output.decode())


@pytest.fixture(scope="module")
def api_server() -> Iterator[ControlPlane]:
    """A Kubernetes API of this module's own, without controllers: nothing here needs them.

    It hands a websocket on to the node as it is, instead of translating it into SPDY for older kubelets.
    """
    plain = "--feature-gates=TranslateStreamCloseWebsocketRequests=false"
    with ControlPlane(controllers=False, api_server=[plain]) as running:
        api = Api(running.kubeconfig)
        for definition in yaml.safe_load_all(render()):
            api.apply(f"{CLUSTER_WIDE}/{definition['metadata']['name']}", definition)
        yield running


@pytest_asyncio.fixture
async def user(
    api_server: ControlPlane, nats_server_binary: Path, tmp_path: Path
) -> AsyncIterator[Callable[..., Any]]:
    """Opens a theatre and gives its user: `ann = await user(replicas=2)`."""
    async with AsyncExitStack() as stack:
        api = Api(api_server.kubeconfig)

        async def arrive(*, pods: tuple[str, ...] = ("a",), **options: Any) -> User:
            theatre = Theatre(nats_server_binary, tmp_path, replicas=len(pods), **options)
            await stack.enter_async_context(theatre)
            node = await stack.enter_async_context(ExecNode(api, f"node-{uuid.uuid4().hex[:6]}"))
            user = User(api_server.kubeconfig, api, node, theatre)
            await eventually(lambda: _is_served(api), "the API of trading accounts")
            await user.settle()
            for name in pods:
                await user.pod(name)
            await theatre.leader()
            return user

        yield arrive


def _is_served(api: Api) -> bool:
    try:
        api.get("/apis/smarttrade.io/v1alpha1/tradingaccounts")
    except ApiRefused:
        return False
    return True


async def bid(theatre: Theatre, market: str = BTC) -> str:
    """An own passive order that rests on the exchange."""
    before = set(theatre.open_orders())
    await theatre.target("1", market, style=OrderStyle.PASSIVE)
    new = await eventually(lambda: set(theatre.open_orders()) - before, "the bid rests")
    return str(new.pop())


async def test_orders_shows_own_and_foreign_orders_and_where_they_are_known(user: Any) -> None:
    ann = await user()
    own, foreign = await bid(ann.theatre), await ann.theatre.place_by_hand(BTC, "50000", "0.1")
    shown = await ann.smarttrade("orders", "alice")
    assert shown.code == 0, shown.output
    [row] = [line for line in shown.output.splitlines() if own in line]
    assert "New" in row
    assert "open" in row
    assert any(foreign in line and "left alone" in line for line in shown.output.splitlines())


async def test_cancel_takes_an_own_order_from_the_exchange_and_leaves_a_foreign_one(user: Any) -> None:
    ann = await user()
    own, foreign = await bid(ann.theatre), await ann.theatre.place_by_hand(BTC, "50000", "0.1")
    done = await ann.smarttrade("cancel", "alice", own)
    assert (done.code, "Canceled" in done.output) == (0, True), done.output
    assert own not in ann.theatre.open_orders()
    refused = await ann.smarttrade("cancel", "alice", foreign)
    assert refused.code == 1, refused.output
    assert foreign in ann.theatre.open_orders()


async def test_close_sells_what_the_ledger_holds_and_nothing_else_of_the_wallet(user: Any) -> None:
    ann = await user()
    await ann.theatre.outcome(await ann.theatre.target("1"))
    closed = await ann.smarttrade("close", "alice", BTC)
    assert (closed.code, "sold" in closed.output) == (0, True), closed.output
    free, locked = ann.theatre.exchange.balance("alice", "BTC")
    assert Decimal(10) <= free + locked < Decimal("10.002")


async def test_an_order_that_nothing_resolves_is_resolved_by_hand_and_trading_goes_on(
    user: Any,
) -> None:
    ann = await user()
    theatre = ann.theatre
    theatre.exchange.faults.inject("timeout-before", endpoint="POST /api/v3/order", times=1)
    theatre.exchange.faults.inject("server-error", endpoint="GET /api/v3/order")
    decision = await theatre.target("1")
    rows = await eventually(lambda: _unknown(ann), "an order of unknown fate")
    early = await ann.smarttrade("order", "resolve", "alice", "sTnothing", "--not-placed")
    assert (early.code, "not an order" in early.output) == (1, True), early.output

    async def resolved() -> bool:
        return (await ann.smarttrade("order", "resolve", "alice", rows, "--not-placed")).code == 0

    await eventually(resolved, "the resolution, once its deadline has passed")
    theatre.exchange.faults.clear()
    assert await theatre.outcome(decision) == ("Reached", "")
    assert abs(theatre.bought() - 1) < Decimal("0.01")


async def _unknown(ann: User) -> str:
    shown = await ann.smarttrade("orders", "alice")
    found = [line for line in shown.output.splitlines() if "Unknown" in line]
    return found[0].replace("│", " ").split()[0] if found else ""


async def test_coins_of_the_wallet_are_adopted_and_then_the_strategy_may_sell_them(user: Any) -> None:
    ann = await user()
    adopted = await ann.smarttrade("adopt", "alice", BTC, "--quantity", "2")
    assert (adopted.code, "holds 2" in adopted.output) == (0, True), adopted.output
    assert await ann.theatre.outcome(await ann.theatre.target("0")) == ("Reached", "")
    assert ann.theatre.bought() == -2
    beyond = await ann.smarttrade("adopt", "alice", BTC, "--quantity", "11")
    assert (beyond.code, "wallet" in beyond.output) == (1, True), beyond.output


async def test_a_breach_is_acknowledged_in_the_object_by_its_id_only(user: Any) -> None:
    ann = await user()
    await asyncio.to_thread(
        ann.report, breach={"id": "DailyLoss-1", "reason": "DailyLoss", "time": "2026-11-21T00:00:00Z"}
    )
    wrong = await ann.smarttrade("breach", "ack", "alice", "DailyLoss-2")
    assert (wrong.code, "DailyLoss-1" in wrong.output) == (2, True), wrong.output
    acknowledging = asyncio.create_task(ann.smarttrade("breach", "ack", "alice", "DailyLoss-1"))
    await eventually(
        lambda: ann.account()["spec"].get("acknowledgedBreach") == "DailyLoss-1", "the object names it"
    )
    await asyncio.to_thread(ann.report, effectiveState="Active")
    done = await acknowledging
    assert (done.code, "acknowledged" in done.output) == (0, True), done.output


# --- halt ---------------------------------------------------------------------------------------------------


async def test_a_halt_is_confirmed_by_what_the_account_reports(user: Any) -> None:
    ann = await user()
    halting = asyncio.create_task(ann.smarttrade("halt", "alice"))
    await eventually(lambda: ann.account()["spec"]["state"] == "Halted", "the object says so")
    account = ann.account()
    applied = {
        "type": "ConfigApplied",
        "status": "True",
        "reason": "Applied",
        "message": "",
        "lastTransitionTime": "2026-11-21T00:00:00Z",
        "observedGeneration": account["metadata"]["generation"],
    }
    await asyncio.to_thread(ann.report, effectiveState="Halted", conditions=[applied])
    halted = await halting
    assert (halted.code, "confirmed" in halted.output) == (0, True), halted.output
    assert "going into the pods" not in halted.output


async def test_a_halt_works_without_the_operator_and_lasts_until_the_object_is_read(user: Any) -> None:
    ann = await user(pods=("a", "b"))
    theatre = ann.theatre
    await bid(theatre)
    halted = await ann.smarttrade("halt", "alice")
    assert halted.code == 0, halted.output
    assert "going into the pods" in halted.output
    assert theatre.open_orders() == []
    leader = await theatre.leader()
    await leader.kill()
    await theatre.leader(other_than=leader.name)
    assert await theatre.outcome(await theatre.target("1", ETH)) == ("Denied", "StateHalted")
    assert theatre.bought(ETH) == 0
    theatre._generation = ann.account()["metadata"]["generation"] - 1
    await theatre.control(state="Halted")
    await theatre.control(state="Active")
    assert await theatre.outcome(await theatre.target("2", ETH)) == ("Reached", "")


async def test_a_halt_works_without_nats_and_survives_the_restart_of_its_container(user: Any) -> None:
    ann = await user()
    theatre = ann.theatre
    await bid(theatre)
    await theatre.server.stop()
    halted = await ann.smarttrade("halt", "alice")
    assert halted.code == 0, halted.output
    assert theatre.open_orders() == []
    await theatre.pods["a"].kill()
    await theatre.server.start()
    theatre.views.clear()
    await theatre.start("a")
    await theatre.leader()
    assert await theatre.outcome(await theatre.target("1", ETH)) == ("Denied", "StateHalted")
    assert theatre.bought(ETH) == 0


async def test_a_container_that_starts_without_nats_cancels_all_the_same(user: Any) -> None:
    ann = await user()
    theatre = ann.theatre
    await bid(theatre)
    await theatre.pods["a"].kill()
    await theatre.server.stop()
    theatre.socket_of("a").unlink()
    await theatre.start("a")
    await eventually(lambda: theatre.socket_of("a").exists(), "the socket")
    halted = await ann.smarttrade("halt", "alice")
    assert halted.code == 0, halted.output
    assert theatre.open_orders() == []


async def test_a_halt_that_cannot_be_carried_out_says_that_it_is_not_known(user: Any) -> None:
    ann = await user()
    await bid(ann.theatre)
    ann.theatre.exchange.faults.inject("server-error", endpoint="* /api/v3/*")
    halted = await ann.smarttrade("halt", "alice")
    assert halted.code == 5, halted.output
    assert "NOT known to be halted" in halted.output
    assert len(ann.theatre.open_orders()) == 1


@pytest.mark.parametrize("unreachable", ["leader", "standby"])
async def test_a_pod_that_does_not_answer_is_named_and_the_other_stops_it_and_cancels_for_it(
    user: Any, unreachable: str
) -> None:
    ann = await user(pods=("a", "b"))
    leader = (await ann.theatre.leader()).name
    out = leader if unreachable == "leader" else {"a": "b", "b": "a"}[leader]
    await bid(ann.theatre)
    ann.node.pods[out] = {"SMARTTRADE_COMMAND_SOCKET": "/nowhere"}
    halted = await ann.smarttrade("halt", "alice")
    assert halted.code == 5, halted.output
    assert f"{out}: UNKNOWN" in halted.output
    assert ann.theatre.open_orders() == []
    placed = ann.theatre.orders()
    refused = await ann.theatre.target("1", ETH)
    assert await ann.theatre.outcome(refused) == ("Denied", "StateHalted")
    assert ann.theatre.orders() == placed

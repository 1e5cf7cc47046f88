"""In namespaced mode the operator's rights live among what it serves, and may go before the accounts do.

The rights are the chart's own. The Role goes first here, which otherwise only happens now and then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from tests.component.api.client import Client
from tests.component.chart import helm
from tests.component.chart.installation import Cluster, write_kubeconfig
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Namespace, OperatorProcess, build_account, eventually
from tests.component.operator.pods import Pod, stored_accounts

BINDING = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/smarttrade-accounts"
RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@pytest.fixture
def served(client: Client, namespace: Namespace) -> Iterator[list[Namespace]]:
    """Two namespaces of accounts."""
    suffix = uuid.uuid4().hex[:8]
    made = [Namespace(client, f"{name}-{suffix}", namespace.installation) for name in ("doomed", "kept")]
    for each in made:
        client.call("POST", "/api/v1/namespaces", {"metadata": {"name": each.name}})
    yield made
    for account in made[1].items("TradingAccount"):
        made[1].release("TradingAccount", account["metadata"]["name"])


@pytest.fixture
def namespaced_operator(
    control_plane: ControlPlane,
    make_operator: MakeOperator,
    served: list[Namespace],
    nats: LocalServer,
    tmp_path: Path,
) -> Iterator[OperatorProcess]:
    """A running operator with the chart's rights in namespaced mode."""
    names = [namespace.name for namespace in served]
    rendering = helm.template({"watchNamespaces": names})
    wanted = [each for each in rendering.kind(*RIGHTS) if "helm.sh/hook" not in str(each)]
    cluster = Cluster(control_plane.kubeconfig)
    cluster.kubectl("create", "namespace", helm.NAMESPACE)
    cluster.kubectl("apply", "-f", "-", manifests=wanted)
    token = cluster.kubectl("create", "token", "smarttrade-operator", "-n", helm.NAMESPACE).strip()
    kubeconfig = write_kubeconfig(cluster, token, tmp_path)
    environment = {"OPERATOR_NAMESPACE": helm.NAMESPACE, "WATCH_NAMESPACES": ",".join(names)}
    yield make_operator(nats, kubeconfig=kubeconfig, **environment, AUDIT_SECONDS="1").start()
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", manifests=wanted)
    cluster.kubectl("delete", "namespace", helm.NAMESPACE, "--wait=false")


async def test_a_namespace_can_be_deleted_that_takes_the_operators_rights_away_first(
    namespaced_operator: OperatorProcess,
    served: list[Namespace],
    client: Client,
    nats: LocalServer,
    keys: OperatorKeys,
) -> None:
    doomed, kept = served
    for namespace, name in ((doomed, "alice"), (doomed, "bob"), (kept, "carol")):
        namespace.create("TradingAccount", build_account(name))
        await asyncio.to_thread(namespace.wait, "Deployment", name)
    async with Pod(doomed, "alice", nats.url) as pod:
        await pod.report(1, open_orders=1)
        await asyncio.to_thread(doomed.wait_condition, "alice", "Ready", "Trading")
    assert client.call("DELETE", BINDING.format(doomed.name)).status == 200
    client.call("DELETE", f"/api/v1/namespaces/{doomed.name}")

    def is_gone() -> bool:
        return client.call("GET", f"/api/v1/namespaces/{doomed.name}").status == 404

    await asyncio.to_thread(eventually, is_gone, 60)
    assert await stored_accounts(nats, keys, doomed) == {False}
    await asyncio.to_thread(_assert_serves, namespaced_operator, kept)
    assert await asyncio.to_thread(namespaced_operator.stop) == 0
    await asyncio.to_thread(namespaced_operator.start)
    await asyncio.to_thread(_assert_serves, namespaced_operator, kept)


def _assert_serves(operator: OperatorProcess, namespace: Namespace) -> None:
    replaced = namespace.get("NetworkPolicy", "carol")["metadata"]["uid"]
    namespace.delete("NetworkPolicy", "carol")
    eventually(lambda: namespace.get("NetworkPolicy", "carol")["metadata"]["uid"] != replaced)
    operator.assert_running()
    assert operator.probe("/livez") == (200, "ok\n")

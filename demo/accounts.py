"""The accounts of the demonstration: a namespace, an exchange Secret and a TradingAccount each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import yaml

from cluster.kubectl import Document, Kubectl, delete_namespace, make_namespace
from cluster.paths import REPOSITORY
from demo.platform import MAKER, ExchangeKey

NAMES = ("alice", "bob")
# What is open on the simulated exchange does not matter to anybody.
ALLOW_DELETION = "smarttrade.io/allow-deletion"
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at an account's status showed."""

    fills: int
    leader: str
    state: str
    ready: bool
    equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    breach: str
    reasons: str

    def __str__(self) -> str:
        text = f"{self.fills} fills, {self.state or 'no state yet'}, led by {self.leader or 'nobody yet'}"
        return f"{text} ({self.reasons})" if self.reasons else text


def read_manifest(name: str) -> Document:
    """`examples/NAME.yaml`, as a user would apply it."""
    manifest: Document = yaml.safe_load((REPOSITORY / "examples" / f"{name}.yaml").read_text("utf-8"))
    return manifest


def apply(kubectl: Kubectl, keys: Mapping[str, ExchangeKey]) -> None:
    """Namespaces, Secrets and accounts, in that order."""
    for name, key in keys.items():
        account = read_manifest(name)
        secret_name = account["spec"]["exchange"]["credentialsSecretRef"]["name"]
        make_namespace(kubectl, name, MAKER, _RESTRICTED)
        kubectl.apply(_build_secret(name, secret_name, key), account, namespace=name)


def delete(kubectl: Kubectl, names: Sequence[str] = NAMES) -> None:
    """The account, which the operator settles, then its namespace if the demo made it; all side by side."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(_delete, kubectl), names))


def _delete(kubectl: Kubectl, name: str) -> None:
    if not kubectl.find("namespace", name):
        return
    account = read_manifest(name)
    secret = account["spec"]["exchange"]["credentialsSecretRef"]["name"]
    if kubectl.find("ta", name, "-n", name):
        kubectl("annotate", "ta", name, "-n", name, f"{ALLOW_DELETION}=true", "--overwrite")
    kubectl("delete", "ta", name, "-n", name, "--ignore-not-found", "--timeout=90s")
    if not delete_namespace(kubectl, name, MAKER):
        kubectl("delete", "secret", secret, "-n", name, "--ignore-not-found")


def look(kubectl: Kubectl, name: str) -> Seen:
    """The account's status now."""
    status: dict[str, Any] = kubectl.find("ta", name, "-n", name).get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", [])}
    wrong = [
        f"{kind}: {c['reason']}"
        for kind, c in conditions.items()
        if kind != "Ready" and c["status"] == ("True" if kind == "Drifted" else "False")
    ]
    return Seen(
        fills=int(status.get("fills") or 0),
        leader=status.get("leader") or "",
        state=status.get("effectiveState") or "",
        ready=conditions.get("Ready", {}).get("status") == "True",
        equity=Decimal(status.get("equity") or 0),
        realized_pnl=Decimal(status.get("realizedPnl") or 0),
        unrealized_pnl=Decimal(status.get("unrealizedPnl") or 0),
        breach=(status.get("breach") or {}).get("reason", ""),
        reasons=", ".join(wrong),
    )


def _build_secret(namespace: str, name: str, key: ExchangeKey) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": dict(key),
    }

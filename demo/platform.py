"""The platform on one cluster: the chart with locally built images, a simulated exchange and its users."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import binaries
from cluster.commands import run
from cluster.kubectl import Kubectl, delete_namespace, make_namespace
from cluster.locks import exclusive
from cluster.paths import REPOSITORY, cache_folder, write_at_once

NAMESPACE = "smarttrade-system"
RELEASE = "smarttrade"
MAKER = "demo"
CHART = REPOSITORY / "charts" / "smarttrade"

ExchangeKey = dict[str, str]


@dataclass(frozen=True, slots=True)
class Recording:
    """What the simulated exchange replays: a folder of the node, a file in it, market seconds a second."""

    node_folder: str
    file: str
    compress: int


def make_exchange_keys(users: list[str]) -> dict[str, ExchangeKey]:
    """API key and secret of each user of the simulated exchange; made once and kept in the cache folder."""
    kept = cache_folder() / "demo" / "exchange-keys.json"
    with exclusive(kept.with_suffix(".lock")):
        keys: dict[str, ExchangeKey] = json.loads(kept.read_text()) if kept.exists() else {}
        for user in users:
            keys.setdefault(user, {"apiKey": secrets.token_hex(32), "secret": secrets.token_hex(32)})
        write_at_once(kept, json.dumps(keys))
    return {user: keys[user] for user in users}


def describe_recording(source: Path, node_folder: str) -> Recording:
    """One-minute candles are replayed as one-second ones, trades at their own pace."""
    return Recording(node_folder, source.name, 60 if _has_candles(source) else 1)


def _has_candles(source: Path) -> bool:
    if source.suffix.lower() != ".csv":
        import pyarrow.parquet as pq

        return "close" in {name.lower() for name in pq.read_schema(source).names}
    with source.open(encoding="utf-8") as file:
        return "close" in file.readline().lower()


def build_values(
    images: Mapping[str, str], keys: Mapping[str, ExchangeKey], recording: Recording | None
) -> dict[str, Any]:
    """The chart's values for a throw-away cluster: locally built images, NATS without a volume."""
    simulator: dict[str, Any] = {
        "enabled": True,
        "symbols": ["BTC/USDT", "ETH/USDT"],
        # A path on which the averages of both accounts cross soon after its start, and often.
        "seed": 22,
        "users": [
            {
                "name": name,
                "key": key["apiKey"],
                "secret": key["secret"],
                "balances": {"USDT": "100000", "BTC": "1"},
            }
            for name, key in keys.items()
        ],
    }
    if recording:
        simulator |= {
            "symbols": ["BTC/USDT"],
            "dataVolume": {"hostPath": {"path": recording.node_folder, "type": "Directory"}},
            "dataFile": recording.file,
            "compress": recording.compress,
            **({} if recording.file.endswith(".csv") else {"image": _image(images["research"])}),
        }
    return {
        "operator": {"image": _image(images["operator"])},
        "runtime": {"image": _image(images["runtime"])},
        "backtests": {"image": _place(images["research"])},
        "nats": {"image": _image(images["nats"]), "persistence": {"enabled": False}},
        "egressGateway": {"image": _image(images["gateway"]), "replicas": 1},
        "simulator": simulator,
    }


def _image(reference: str) -> dict[str, str]:
    return {**_place(reference), "pullPolicy": "IfNotPresent"}


def _place(reference: str) -> dict[str, str]:
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def installed_recording(kubectl: Kubectl) -> str | None:
    """The file that the installed simulated exchange replays, empty for none; None where none is."""
    if not kubectl.find("secret", "-n", NAMESPACE, "-l", f"owner=helm,name={RELEASE}").get("items"):
        return None
    values = json.loads(_helm(kubectl, "get", "values", RELEASE, "--namespace", NAMESPACE, "-o", "json"))
    return str(((values or {}).get("simulator") or {}).get("dataFile", ""))


def install(kubectl: Kubectl, values: Mapping[str, Any], *, timeout_s: int = 300) -> None:
    """Install or upgrade the chart and wait until its pods are ready."""
    make_namespace(kubectl, NAMESPACE, MAKER)
    _unlock(kubectl)
    _helm(
        kubectl,
        "upgrade",
        "--install",
        RELEASE,
        str(CHART),
        "--namespace",
        NAMESPACE,
        "--values=-",
        "--wait",
        "--timeout",
        f"{timeout_s}s",
        stdin=json.dumps(values),
        timeout_s=timeout_s + 30,
    )


def _unlock(kubectl: Kubectl) -> None:
    """A helm that was killed leaves its release pending, and every later upgrade refused."""
    listed = json.loads(_helm(kubectl, "list", "--namespace", NAMESPACE, "--all", "--output", "json") or "[]")
    for release in listed:
        if release["name"] == RELEASE and release["status"].startswith("pending"):
            secret = f"sh.helm.release.v1.{RELEASE}.v{release['revision']}"
            kubectl("delete", "secret", secret, "-n", NAMESPACE, "--ignore-not-found")


def uninstall(kubectl: Kubectl) -> None:
    """Remove the platform, and its namespace if the demo made it; absent is fine."""
    _helm(kubectl, "uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--ignore-not-found")
    delete_namespace(kubectl, NAMESPACE, MAKER)


def _helm(kubectl: Kubectl, *arguments: str, stdin: str | None = None, timeout_s: float = 420) -> str:
    words = [str(binaries.ensure("helm")), *kubectl.target.helm_options, *arguments]
    return run(words, stdin=stdin, timeout_s=timeout_s)

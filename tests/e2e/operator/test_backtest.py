"""A search on nodes: rounds of pods that reach nothing, under their quota, over an eviction, to a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.kubectl import build_pod
from tests.component.operator.harness import Manifest, eventually
from tests.e2e.operator.conftest import Platform, build_live_account
from tests.unit.backtest.recordings import random_walk

NAME, CLAIM = "search", "backtest-results"
ROUNDS, SHARDS = 2, 3
# What a pod reaches is found out by the strategy itself: whatever it raises fails the Backtest.
PROBE = '''
import os
import socket
from decimal import Decimal

from smarttrade import Parameter, Strategy

try:
    socket.create_connection((os.environ["KUBERNETES_SERVICE_HOST"], 443), 0.5).close()
except OSError:
    pass
else:
    raise RuntimeError("the strategy has reached the API server")


class Turn(Strategy):
    """Changes between all and nothing every `hold` candles."""

    hold = Parameter(4, minimum=2, maximum=40)
    seen = 0

    def on_candle(self, candle):
        self.seen += 1
        return self.target(candle.market, Decimal("0.1") if self.seen // self.hold % 2 else Decimal(0))
'''


@pytest.fixture
def tested(platform: Platform) -> Iterator[str]:
    """An account without credentials whose strategy looks for a way out."""
    manifest = build_live_account("mia", mode="Paper")
    for name in ("riskAcknowledgement", "exchange"):
        del manifest["spec"][name]
    manifest["spec"]["exchange"] = {"name": "binance", "environment": "Simulator"}
    source = {"configMapRef": {"name": "turn"}, "class": "mine.Turn"}
    manifest["spec"]["strategy"] = {"source": source, "timeframe": "1m", "parameters": {}}
    manifest["metadata"]["labels"] = {"smarttrade.io/installation": platform.system.name}
    platform.provide_strategy("turn", PROBE)
    platform.made.append("mia")
    platform.users.create("TradingAccount", manifest)
    yield "mia"
    platform.remove("mia")


def test_a_search_runs_in_rounds_of_confined_pods_to_a_verdict_and_a_file(
    platform: Platform, tested: str
) -> None:
    _provide_candles(platform)
    _apply(platform, _build_search(platform, tested))
    eventually(lambda: "not found" in _message(platform), 60, "it names the claim that is missing")
    assert f'persistentvolumeclaim "{CLAIM}"' in _message(platform)
    _apply(platform, _build_claim())

    eventually(lambda: "exceeded quota" in _message(platform), 60, "the third pod is refused")
    (quota,) = _owned(platform, "resourcequota")
    assert quota["status"]["used"]["pods"] == "2"
    pod = eventually(lambda: _running(platform), 60, "a pod runs")
    path = f"{platform.users.path('Pod', pod)}/eviction"
    answer = platform.proxy.call(
        "POST", path, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    )
    assert answer.status == 201, answer.message

    seen: set[str] = set()

    def ended() -> Manifest | None:
        row = platform.cluster("get", "backtests", NAME, *_here(platform), "--no-headers").split()
        seen.add(row[3])
        status = _status(platform)
        return status if status.get("phase") in ("Succeeded", "Failed") else None

    status = eventually(ended, 180, "the search is over")
    assert status["phase"] == "Succeeded", status
    assert status["progress"] == f"{ROUNDS * SHARDS}/{ROUNDS * SHARDS}"
    assert len(seen) > ROUNDS
    assert status["best"]["parameters"].startswith("hold=")
    assert {"inSample", "outOfSample"} <= set(status["best"])
    rows = _read_results(platform)
    assert len({row["parameters"] for row in rows}) == status["candidates"] > 4
    assert all(row["trades_in"] and row["trades_out"] for row in rows)

    platform.cluster("delete", "backtest", NAME, *_here(platform))
    kinds = "jobs,pods,configmaps,networkpolicies,resourcequotas"
    eventually(lambda: not _owned(platform, kinds), 60, "nothing is left of it")


def _here(platform: Platform) -> list[str]:
    return [f"--namespace={platform.users.name}"]


def _apply(platform: Platform, manifest: Manifest) -> None:
    platform.cluster.apply(manifest, namespace=platform.users.name)


def _status(platform: Platform) -> Manifest:
    status: Manifest = platform.cluster.get("backtest", NAME, *_here(platform)).get("status") or {}
    return status


def _message(platform: Platform) -> str:
    return str(_status(platform).get("message") or "")


def _owned(platform: Platform, kinds: str) -> list[Manifest]:
    listed = platform.cluster.get(kinds, f"--selector=smarttrade.io/backtest={NAME}", *_here(platform))
    items: list[Manifest] = listed["items"]
    return items


def _running(platform: Platform) -> str | None:
    pods = (pod for pod in _owned(platform, "pods") if pod["status"].get("phase") == "Running")
    return next((pod["metadata"]["name"] for pod in pods), None)


def _provide_candles(platform: Platform) -> None:
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(1500)]
    text = "\n".join(["timestamp,open,high,low,close,volume", *rows])
    _apply(
        platform,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "candles"},
            "data": {"BTC-USDT.csv": text},
        },
    )


def _build_search(platform: Platform, account: str) -> Manifest:
    return {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "Backtest",
        "metadata": {"name": NAME, "labels": {"smarttrade.io/installation": platform.system.name}},
        "spec": {
            "account": account,
            "data": {"configMap": "candles"},
            "results": {"claimName": CLAIM, "path": "search"},
            "objective": "Return",
            "trials": 9,
            "folds": 2,
            "shards": SHARDS,
            "parallelism": SHARDS,
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        },
    }


def _build_claim() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }


def _read_results(platform: Platform) -> list[dict[str, Any]]:
    """What lies on the volume, read by a pod of its own."""
    script = (
        "import json, pyarrow.parquet as p;"
        f"print(json.dumps(p.read_table('/results/search/{NAME}.parquet').to_pylist(), default=str))"
    )
    pod = build_pod("reader", platform.images["research"], ["python", "-c", script], {})
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["volumes"] = [{"name": "results", "persistentVolumeClaim": {"claimName": CLAIM}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "results", "mountPath": "/results"}]
    _apply(platform, pod)
    ended = ["--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"]
    platform.cluster("wait", "pod/reader", *ended, *_here(platform), timeout_s=90)
    rows: list[dict[str, Any]] = json.loads(platform.cluster("logs", "reader", *_here(platform)))
    return rows

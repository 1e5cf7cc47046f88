"""What the operator's component tests are written with: real processes, waited for, never slept for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError

from smarttrade_operator.names import INSTALLATION_LABEL
from tests.component.api.client import Client

T = TypeVar("T")
RUN = ("-m", "smarttrade_operator.main", "run")
Manifest = dict[str, Any]

PATHS = {
    "TradingAccount": "/apis/smarttrade.io/v1alpha1/namespaces/{}/tradingaccounts",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Event": "/apis/events.k8s.io/v1/namespaces/{}/events",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
}

CATALOGUE = """
binance:
  Simulator:
    rest: http://smarttrade-simulator.smarttrade-system.svc:8080
    websocket: ws://smarttrade-simulator.smarttrade-system.svc:8080
    websocketApi: ws://smarttrade-simulator.smarttrade-system.svc:8080
    pods:
      namespaceLabels: {kubernetes.io/metadata.name: smarttrade-system}
      podLabels: {app.kubernetes.io/name: smarttrade-simulator}
      port: 8080
  Production: {}
"""


def eventually(check: Callable[[], T], within_s: float = 60.0, what: str = "", *, seldom_s: float = 0.2) -> T:
    """Poll until the check returns something true, without an assertion error; its value.

    The longer it takes, the more seldom (`seldom_s` at last): what is asked computes on the same cores.
    """
    began, last = time.monotonic(), ""
    while True:
        try:
            value = check()
            if value:
                return value
            last = f"last value: {value!r}"
        except (AssertionError, KeyError, IndexError) as error:
            last = f"{type(error).__name__}: {error}"
        waited_s = time.monotonic() - began
        if waited_s > within_s:
            raise AssertionError(f"not within {within_s} s: {what} {last}")
        time.sleep(min(seldom_s, 0.02 + waited_s / 20))


def seconds_until(check: Callable[[], T], what: str = "") -> float:
    """How long it took; `assert_prompt` judges it."""
    began = time.monotonic()
    eventually(check, 60, what, seldom_s=0.02)
    return time.monotonic() - began


def assert_prompt(promised_s: float, what: str, take: Callable[[], float], tries: int = 3) -> None:
    """The same thing done up to three times takes less than promised at least once.

    Any single one may be late on a busy machine; what is slow by itself is so every time.
    """
    taken_s: list[float] = []
    while len(taken_s) < tries and not (taken_s and taken_s[-1] < promised_s):
        taken_s.append(take())
    print(what, "took", ", ".join(f"{seconds * 1000:.0f} ms" for seconds in taken_s))
    assert min(taken_s) < promised_s, f"{what} took {taken_s} s"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Namespace:
    """One namespace of the API server, in short calls.

    Accounts made here are of `installation` unless they name another or carry labels of their own.
    """

    client: Client
    name: str
    installation: str = ""

    def path(self, kind: str, name: str = "") -> str:
        return PATHS[kind].format(self.name) + (f"/{name}" if name else "")

    def create(self, kind: str, manifest: Manifest) -> Manifest:
        if kind == "TradingAccount" and self.installation:
            manifest["metadata"].setdefault("labels", {INSTALLATION_LABEL: self.installation})
        answer = self.client.call("POST", self.path(kind), manifest)
        assert answer.status == 201, answer.message
        return answer.body

    def find(self, kind: str, name: str) -> Manifest | None:
        answer = self.client.call("GET", self.path(kind, name))
        assert answer.status in (200, 404), answer.message
        return answer.body if answer.status == 200 else None

    def get(self, kind: str, name: str) -> Manifest:
        found = self.find(kind, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    def items(self, kind: str) -> list[Manifest]:
        items: list[Manifest] = self.client.call("GET", self.path(kind)).body["items"]
        return items

    def patch(
        self, kind: str, name: str, change: Manifest, *, manager: str = "somebody", status: bool = False
    ) -> Manifest:
        path = self.path(kind, name) + ("/status" if status else "") + f"?fieldManager={manager}"
        kinds = {
            "Deployment": "application/strategic-merge-patch+json",
            "Pod": "application/strategic-merge-patch+json",
        }
        answer = self.client.call("PATCH", path, change, kinds.get(kind, "application/merge-patch+json"))
        assert answer.status == 200, answer.message
        return answer.body

    def delete(self, kind: str, name: str, *, missing_ok: bool = False) -> None:
        """What is open on its exchange does not keep an account of a test."""
        if kind == "TradingAccount":
            self._allow_deletion(name)
        answer = self.client.call("DELETE", self.path(kind, name))
        assert answer.status in ((200, 202, 404) if missing_ok else (200, 202)), answer.message

    def release(self, kind: str, name: str) -> None:
        """Delete it, whatever its finalizers wait for."""
        path = self.path(kind, name)
        if kind == "TradingAccount":
            self._allow_deletion(name)
        self.client.call("DELETE", path)
        self.client.merge(path, {"metadata": {"finalizers": None}})

    def _allow_deletion(self, name: str) -> None:
        change = {"metadata": {"annotations": {"smarttrade.io/allow-deletion": "true"}}}
        path = self.path("TradingAccount", name)
        self.client.call("PATCH", path, change, "application/merge-patch+json")

    def wait(self, kind: str, name: str, within_s: float = 60.0) -> Manifest:
        return eventually(lambda: self.find(kind, name), within_s, f"{kind} {name}")  # type: ignore[return-value]

    def condition(self, account: str, kind: str) -> Manifest:
        status = self.get("TradingAccount", account).get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions") or []}
        return conditions.get(kind) or {"status": "absent", "reason": "absent", "message": ""}

    def wait_condition(self, account: str, kind: str, reason: str, within_s: float = 60.0) -> Manifest:
        def reached() -> Manifest | None:
            condition = self.condition(account, kind)
            assert condition["reason"] == reason, condition
            return condition

        return eventually(reached, within_s, f"{kind} {reason}")  # type: ignore[return-value]

    def events(self, reason: str) -> list[Manifest]:
        return [event for event in self.items("Event") if event["reason"] == reason]


def build_account(name: str, **spec: Any) -> Manifest:
    """A valid account on the simulator; `spec` replaces top-level fields."""
    return {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "metadata": {"name": name},
        "spec": {
            "exchange": {"name": "binance", "environment": "Simulator"},
            "markets": [{"symbol": "BTC/USDT"}],
            "strategy": {"name": "ma-cross", "timeframe": "1m", "parameters": {"fast": 10, "slow": 30}},
            "capital": {"currency": "USDT", "allocation": "10000"},
            "risk": {
                "maxOrderNotional": "1000",
                "maxPositionNotional": "5000",
                "maxDailyLoss": "200",
                "maxDrawdown": "0.10",
            },
            **spec,
        },
    }


@dataclass
class OperatorProcess:
    """`smarttrade-operator run` as a child process."""

    environment: dict[str, str]
    log_path: Path
    command: Sequence[str] = RUN
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> OperatorProcess:
        environment = os.environ | self.environment | {"SMARTTRADE_PORT": str(self.port)}
        with self.log_path.open("ab") as log:
            command = [sys.executable, *self.command]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        if wait:
            eventually(self.is_leading, 60, "the operator leads and watches")
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit code; negative for a signal."""
        process, self.process = self.process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            return process.wait(25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def probe(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, OSError):
            return 0, ""

    def is_leading(self) -> bool:
        self.assert_running()
        status, text = self.probe("/metrics")
        ready, _ = self.probe("/readyz")
        return status == 200 and ready == 200 and self.metric("smarttrade_operator_leading", text) == 1

    def assert_running(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the operator ended with {self.process.returncode}:\n{self.tail()}")

    def metric(self, prefix: str, text: str | None = None) -> float:
        """The sum of all samples whose line starts with the prefix."""
        lines = (text if text is not None else self.probe("/metrics")[1]).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(prefix))

    def writes(self) -> float:
        """Requests that change something on the API server, the Lease's aside."""
        verbs = ("create", "update", "patch", "delete")
        samples = [
            line
            for line in self.probe("/metrics")[1].splitlines()
            if line.startswith("smarttrade_operator_api_requests_total{") and 'resource="leases"' not in line
        ]
        return sum(
            float(s.rsplit(" ", 1)[1]) for s in samples if any(f'verb="{verb}"' in s for verb in verbs)
        )

    def await_calm(self, quiet_s: float = 0.6) -> None:
        """Until it has written nothing for a while."""

        def is_calm() -> bool:
            before = self.writes()
            time.sleep(quiet_s)
            return self.writes() == before

        eventually(is_calm, 60, "the operator is calm")

    def lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self.log_path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def tail(self) -> str:
        return "\n".join(self.log_path.read_text().splitlines()[-40:])

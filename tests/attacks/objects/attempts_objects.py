"""Objects that a hostile tenant writes, refused by the API server before the operator sees them."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.component.api.client import Client
from tests.component.operator.harness import build_account

MATRIX = Matrix()
CHANNEL = "objects"
SCHEMA = "definition"
KUBERNETES = "the API server's own rule for the metadata of every object"
MEBIBYTE = 1024 * 1024
# Cyrillic letters that look like BTC.
LOOK_ALIKE = "\u0412\u0422\u0421/USDT"
STRIPPED = (
    "pattern",
    "maxLength",
    "minLength",
    "maxItems",
    "maxProperties",
    "enum",
    "x-kubernetes-validations",
)


@dataclass(frozen=True)
class Registry:
    """Where objects are created: with the definition as it is, or with one that checks types alone."""

    client: Client
    group: str
    namespace: str

    def create(self, account: dict[str, Any]) -> Outcome:
        """Refused in the API server's words."""
        account = account | {"apiVersion": f"{self.group}/v1alpha1"}
        path = f"/apis/{self.group}/v1alpha1/namespaces/{self.namespace}/tradingaccounts"
        answer = self.client.call("POST", path, account)
        if answer.status == 201:
            self.client.call("DELETE", f"{path}/{answer.body['metadata']['name']}")
            return Succeeded(f"it is stored: {str(answer.body)[:80]}")
        return Refused(answer.message)


def weaken(definition: dict[str, Any], group: str) -> dict[str, Any]:
    """The same definition under another group, without what restricts values."""
    weak = copy.deepcopy(definition)
    weak["metadata"]["name"] = f"{weak['spec']['names']['plural']}.{group}"
    weak["spec"]["group"] = group
    for version in weak["spec"]["versions"]:
        _strip(version["schema"]["openAPIV3Schema"])
    return weak


def _strip(schema: dict[str, Any]) -> None:
    for word in STRIPPED:
        schema.pop(word, None)
    schema.pop("default", None)
    for child in [
        *schema.get("properties", {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]:
        if isinstance(child, dict):
            _strip(child)


@dataclass(frozen=True)
class _Change:
    name: str
    tries: str
    refusal: str
    spec: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    given: str = ""


def _strategy(**more: Any) -> dict[str, Any]:
    return {
        "strategy": {"name": "ma-cross", "timeframe": "1m", "parameters": {"fast": 10, "slow": 30}, **more}
    }


def _source(config_map: str = "mine", name: str = "mine.Mine") -> dict[str, Any]:
    source = {"configMapRef": {"name": config_map}, "class": name}
    return {"strategy": {"source": source, "timeframe": "1m", "parameters": {}}}


def _exchange(**more: Any) -> dict[str, Any]:
    return {"exchange": {"name": "binance", "environment": "Simulator", **more}}


def _risk(**more: Any) -> dict[str, Any]:
    return {"risk": {**build_account("x")["spec"]["risk"], **more}}


_CHANGES = (
    _Change(
        "path-as-name", "names the object like a path", "metadata.name: Invalid value", given=KUBERNETES,
        metadata={"name": "../../x"},
    ),
    _Change(
        "long-name", "gives a name that no longer fits where it is used", "at most 40 characters",
        metadata={"name": "a" * 41},
    ),
    _Change(
        "huge-annotation", "hides a megabyte in an annotation", "may not be more than 262144 bytes",
        given=KUBERNETES, metadata={"name": "mallory", "annotations": {"a": "x" * MEBIBYTE}},
    ),
    _Change(
        "look-alike", "trades a market in look-alike letters", "symbol in body should match",
        {"markets": [{"symbol": LOOK_ALIKE}]},
    ),
    _Change(
        "free-url", "names a URL as exchange environment", "environment in body should match",
        _exchange(environment="https://evil.example"),
    ),
    _Change(
        "secret-elsewhere", "names a Secret of another namespace", "credentialsSecretRef.name in body should",
        _exchange(credentialsSecretRef={"name": "../victim/victim-binance"}),
    ),
    _Change(
        "huge-parameter", "passes a megabyte as a parameter", "may not be more than 256 bytes",
        _strategy(parameters={"a": "x" * MEBIBYTE}),
    ),
    _Change(
        "many-parameters", "passes 10,000 parameters", "must have at most 64 items",
        _strategy(parameters={f"p{n}": n for n in range(10_000)}),
    ),
    _Change(
        "cel-cost", "lists 20,000 markets for the rules to compare", "must have at most 64 items",
        {"markets": [{"symbol": f"A{n}/USDT"} for n in range(20_000)]},
    ),
    _Change(
        "template-in-name", "names a strategy in template language", "strategy.name in body should match",
        _strategy(name="{{ .Values.keys }}"),
    ),
    _Change(
        "template-in-parameter", "passes template language as a parameter", "fast must be an integer",
        _strategy(parameters={"fast": "{{ .Values.keys }}", "slow": 30}),
    ),
    _Change(
        "variable-in-reference", "names a ConfigMap by a variable of the container",
        "configMapRef.name in body should match", _source("$(SMARTTRADE_NATS_URL)"),
    ),
    _Change(
        "code-as-class", "names an expression as class", "class in body should match",
        _source(name="os.system('id')"),
    ),
    _Change(
        "path-as-class", "names a file elsewhere as module", "class in body should match",
        _source(name="../../tmp/evil.Evil"),
    ),
    _Change(
        "not-a-number", "declares a limit of NaN", "maxDailyLoss in body should match",
        _risk(maxDailyLoss="NaN"),
    ),
    _Change(
        "endless-number", "declares a limit of a million digits", "may not be more than 40 bytes",
        _risk(maxOrderNotional="9" * MEBIBYTE),
    ),
    _Change(
        "path-as-time-zone", "names a file as time zone", "timeZone in body should match",
        _risk(dailyReset={"time": "00:00", "timeZone": "../../etc/passwd"}),
    ),
)  # fmt: skip


def _declare(change: _Change) -> None:
    guard = "" if change.given else SCHEMA

    @MATRIX.attempt(
        change.name, CHANNEL, change.tries, refusal=change.refusal, guard=guard, given=change.given
    )
    def create(registry: Registry) -> Outcome:
        account = build_account(f"mallory-{uuid.uuid4().hex[:6]}", **change.spec)
        account["metadata"] |= change.metadata
        return registry.create(account)


for _each in _CHANGES:
    _declare(_each)

"""The CustomResourceDefinition of TradingAccount and where its copies are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from smarttrade.api.account import GROUP, KIND, PLURAL, VERSION, TradingAccount
from smarttrade.api.crds.parameters import build_rules
from smarttrade.api.crds.schema import Schema, build_structural
from smarttrade.api.model import Model
from smarttrade.api.spec import TradingAccountSpec
from smarttrade.api.status import TradingAccountStatus
from smarttrade.strategies import BUILT_IN, load_built_in

NAME = f"{PLURAL}.{GROUP}"
PATHS = (
    Path("crds") / f"{GROUP}_{PLURAL}.yaml",
    Path("charts/smarttrade/files/crds") / f"{GROUP}_{PLURAL}.yaml",
)
_HEADER = "# Generated from the models by `make crds`; edit those.\n"


def build_crd() -> dict[str, Any]:
    definition = build_definition(
        KIND, PLURAL, "ta", TradingAccount, TradingAccountSpec, TradingAccountStatus, _build_columns()
    )
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    strategy = root["properties"]["spec"]["properties"]["strategy"]
    strategy["x-kubernetes-validations"] += build_rules({name: load_built_in(name) for name in BUILT_IN})
    return definition


def render() -> str:
    """The definition as the text of its file."""
    return write(build_crd())


def write(definition: dict[str, Any]) -> str:
    """A definition as the text of its file."""
    return _HEADER + yaml.safe_dump(definition, sort_keys=False, width=110, allow_unicode=True)


def build_definition(
    kind: str,
    plural: str,
    short: str,
    model: type[Model],
    spec: type[Model],
    status: type[Model],
    columns: list[dict[str, Any]],
) -> dict[str, Any]:
    """The definition of one namespaced kind with a status of its own."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["smarttrade"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": _build_root(kind, model, spec, status)},
                }
            ],
        },
    }


def _build_root(kind: str, model: type[Model], spec: type[Model], status: type[Model]) -> Schema:
    return {
        "description": " ".join((model.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [rule.schema() for rule in model.rules],
        "properties": {
            "apiVersion": {"description": f"Always {GROUP}/{VERSION}.", "type": "string"},
            "kind": {"description": f"Always {kind}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": build_structural(spec),
            "status": build_structural(status),
        },
    }


def _build_columns() -> list[dict[str, Any]]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        build_column("State", ".status.effectiveState", "What the account may do now."),
        build_column("Mode", ".spec.mode", "Paper or Live."),
        build_column("Ready", f"{ready}.status", "Whether the account is able to trade."),
        build_column("Leader", ".status.leader", "The pod that trades."),
        build_column("Equity", ".status.equity", "Allocation plus profit and loss."),
        build_column("PnL", ".status.realizedPnl", "Realised profit and loss."),
        build_column("Unrealized", ".status.unrealizedPnl", "Unrealised profit and loss.", priority=1),
        build_column("Exchange", ".spec.exchange.name", "Where it trades.", priority=1),
        build_column("Environment", ".spec.exchange.environment", "Which environment of it.", priority=1),
        build_column("Reason", f"{ready}.reason", "Why it is ready, or not.", priority=1),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def build_column(name: str, path: str, description: str, priority: int = 0) -> dict[str, Any]:
    """One column of `kubectl get`; with a priority it is shown by `-o wide` only."""
    column = {"name": name, "type": "string", "description": description, "jsonPath": path}
    return {**column, "priority": priority} if priority else column

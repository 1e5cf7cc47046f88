"""The CustomResourceDefinition of TradingAccount and where its copies are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from smarttrade.api.account import GROUP, KIND, PLURAL, VERSION, TradingAccount
from smarttrade.api.crds.schema import Schema, build_structural
from smarttrade.api.spec import TradingAccountSpec
from smarttrade.api.status import TradingAccountStatus

NAME = f"{PLURAL}.{GROUP}"
PATHS = (
    Path("crds") / f"{GROUP}_{PLURAL}.yaml",
    Path("charts/smarttrade/files/crds") / f"{GROUP}_{PLURAL}.yaml",
)
_HEADER = "# Generated from the models by `make crds`; edit those.\n"


def build_crd() -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["ta"],
                "categories": ["smarttrade"],
            },
            "versions": [_build_version()],
        },
    }


def render() -> str:
    """The definition as the text of its file."""
    return _HEADER + yaml.safe_dump(build_crd(), sort_keys=False, width=110, allow_unicode=True)


def _build_version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _build_columns(),
        "schema": {"openAPIV3Schema": _build_root()},
    }


def _build_root() -> Schema:
    return {
        "description": " ".join((TradingAccount.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [rule.schema() for rule in TradingAccount.rules],
        "properties": {
            "apiVersion": {"description": f"Always {GROUP}/{VERSION}.", "type": "string"},
            "kind": {"description": f"Always {KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": build_structural(TradingAccountSpec),
            "status": build_structural(TradingAccountStatus),
        },
    }


def _build_columns() -> list[dict[str, Any]]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        _column("State", ".status.effectiveState", "What the account may do now."),
        _column("Mode", ".spec.mode", "Paper or Live."),
        _column("Ready", f"{ready}.status", "Whether the account is able to trade."),
        _column("Leader", ".status.leader", "The pod that trades."),
        _column("Equity", ".status.equity", "Allocation plus profit and loss."),
        _column("PnL", ".status.realizedPnl", "Realised profit and loss."),
        _column("Unrealized", ".status.unrealizedPnl", "Unrealised profit and loss.", priority=1),
        _column("Exchange", ".spec.exchange.name", "Where it trades.", priority=1),
        _column("Environment", ".spec.exchange.environment", "Which environment of it.", priority=1),
        _column("Reason", f"{ready}.reason", "Why it is ready, or not.", priority=1),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _column(name: str, path: str, description: str, priority: int = 0) -> dict[str, Any]:
    column = {"name": name, "type": "string", "description": description, "jsonPath": path}
    return {**column, "priority": priority} if priority else column

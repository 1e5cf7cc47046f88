"""The CustomResourceDefinition of Backtest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smarttrade.api.account import GROUP
from smarttrade.api.backtest import KIND, PLURAL, Backtest, BacktestSpec, BacktestStatus
from smarttrade.api.crds.document import build_column, build_definition, write

NAME = f"{PLURAL}.{GROUP}"
PATHS = (
    Path("crds") / f"{GROUP}_{PLURAL}.yaml",
    Path("charts/smarttrade/files/crds") / f"{GROUP}_{PLURAL}.yaml",
)


def build_crd() -> dict[str, Any]:
    return build_definition(KIND, PLURAL, "bt", Backtest, BacktestSpec, BacktestStatus, _build_columns())


def render() -> str:
    """The definition as the text of its file."""
    return write(build_crd())


def _build_columns() -> list[dict[str, Any]]:
    return [
        build_column("Account", ".spec.account", "Whose specification is tested."),
        build_column("Phase", ".status.phase", "The run in one word."),
        build_column("Progress", ".status.progress", "Shards that are done."),
        build_column("Best", ".status.best.parameters", "The best in sample."),
        build_column("In", ".status.best.inSample", "Its mean score in sample."),
        build_column("Out", ".status.best.outOfSample", "Its mean score out of sample."),
        build_column("Kept", ".status.kept", "Share of the in-sample score kept out of sample."),
        build_column("Objective", ".spec.objective", "What is scored.", priority=1),
        build_column("Message", ".status.message", "Why it waits or has failed.", priority=1),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]

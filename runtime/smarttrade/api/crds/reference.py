"""The object's fields as a page of documentation, from the same schema as the definition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smarttrade.api.account import API_VERSION, KIND
from smarttrade.api.backtest import BacktestSpec, BacktestStatus
from smarttrade.api.crds.schema import Schema, build_structural
from smarttrade.api.pending import PENDING
from smarttrade.api.spec import TradingAccountSpec
from smarttrade.api.status import TradingAccountStatus

PATH = Path("docs/reference/tradingaccount.md")
BACKTEST_PATH = Path("docs/reference/backtest.md")


def render_reference() -> str:
    """Markdown: one table of the specification, one of the status, and the fields without effect yet."""
    lines = [
        f"# {KIND} ({API_VERSION})",
        "",
        "Generated from the models by `make crds`. Decimals are strings in quotes.",
        "",
        "## spec",
        "",
        *_table("spec", build_structural(TradingAccountSpec)),
        "",
        "## status",
        "",
        *_table("status", build_structural(TradingAccountStatus)),
        "",
        "## Accepted, without effect yet",
        "",
        "Setting one of these shows in the condition `ConfigApplied` with reason `FieldsWithoutEffect`.",
        "",
        *[f"- `{field.path}`: {field.meanwhile}" for field in PENDING],
        "",
    ]
    return "\n".join(lines)


def render_all() -> dict[Path, str]:
    """Every page, by its path."""
    return {PATH: render_reference(), BACKTEST_PATH: render_backtest()}


def render_backtest() -> str:
    """Markdown: one table of the specification and one of the status."""
    lines = [
        f"# Backtest ({API_VERSION})",
        "",
        "Generated from the models by `make crds`. Decimals are strings in quotes.",
        "",
        "## spec",
        "",
        *_table("spec", build_structural(BacktestSpec)),
        "",
        "## status",
        "",
        *_table("status", build_structural(BacktestStatus)),
        "",
    ]
    return "\n".join(lines)


def _table(prefix: str, schema: Schema) -> list[str]:
    rows = [
        f"| `{path}` | {kind} | {default} | {text} |" for path, kind, default, text in _rows(prefix, schema)
    ]
    return ["| field | type | default | meaning |", "|---|---|---|---|", *rows]


def _rows(prefix: str, schema: Schema) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}.{name}"
        yield path, _kind(field), _default(field, name in required), field.get("description", "")
        yield from _rows(path, field)
        yield from _rows(f"{path}[]", field.get("items", {}))


def _kind(field: Schema) -> str:
    if "enum" in field:
        return ", ".join(field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind: str = field["type"]
    bounds = [str(field[bound]) for bound in ("minimum", "maximum") if bound in field]
    return f"{kind} ({' to '.join(bounds)})" if len(bounds) == 2 else kind


def _default(field: Schema, required: bool) -> str:
    if required:
        return "required"
    default = field.get("default", "")
    return f"`{default}`" if default not in ("", {}, []) else ""

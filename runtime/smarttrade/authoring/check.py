"""`smarttrade strategy check`: everything that is wrong with a strategy's file, before it trades."""

from __future__ import annotations

import ast
from pathlib import Path

from smarttrade.api import Strategy as StrategySpec
from smarttrade.authoring.dry_run import dry_run, examine_class
from smarttrade.authoring.findings import Finding
from smarttrade.authoring.lint import lint
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.core import StrategyFailedError
from smarttrade.evaluation.loading import load_class
from smarttrade.evaluation.strategy import Strategy


def check_file(path: Path, markets: tuple[str, ...], class_name: str = "") -> list[Finding]:
    """Findings of the source, of the class and of a dry run with the default parameters.

    `class_name` is needed where the file has several strategies. ConfigurationError: there is no such file or
    class.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    found = lint(source)
    if any(finding.code == "Syntax" for finding in found):
        return found
    try:
        strategy_class = _load(path, class_name)
        if hasattr(strategy_class, "inner_class"):
            from smarttrade.authoring.windows import check_windows

            return sorted(found + check_windows(strategy_class.inner_class, markets))
        found += examine_class(strategy_class)
        if not any(finding.code == "Handler" for finding in found):
            found += dry_run(strategy_class, markets)
    except StrategyFailedError as error:
        found.append(Finding(0, "StrategyFailed", str(error)))
    return sorted(found)


def _load(path: Path, class_name: str) -> type[Strategy]:
    name = class_name or _only_class(path)
    source = {"configMapRef": {"name": "check"}, "class": f"{path.stem}.{name}"}
    spec = StrategySpec.model_validate({"source": source, "timeframe": "1m", "parameters": {}})
    return load_class(spec, path.parent)


def _only_class(path: Path) -> str:
    classes = [
        node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef)
    ]
    if len(classes) != 1:
        told = f"has {len(classes)} classes" if classes else "has no class"
        raise ConfigurationError(f"{path} {told}: name the strategy with --class")
    return classes[0]

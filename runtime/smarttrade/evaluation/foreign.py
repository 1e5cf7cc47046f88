"""Is it written for freqtrade? Told without importing what such a strategy needs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path


def imports_freqtrade(path: Path) -> bool:
    """Whether a file imports freqtrade; one that cannot be read as Python does not."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SyntaxError):
        return False
    return any(name.partition(".")[0] == "freqtrade" for node in ast.walk(tree) for name in _imported(node))


def is_for_freqtrade(found: type) -> bool:
    """Whether a class derives from the `IStrategy` that such a file was given."""
    interface = sys.modules.get("smarttrade.freqtrade.interface")
    return interface is not None and issubclass(found, interface.IStrategy)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []

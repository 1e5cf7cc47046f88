"""Types of a strategy's file against the interface, by mypy where it is installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from smarttrade.authoring.findings import Finding
from smarttrade.evaluation.foreign import imports_freqtrade

_LINE = re.compile(r"^[^:]+:(\d+): error: (.*)$")
_OPTIONS = ("--no-error-summary", "--check-untyped-defs", "--follow-imports=silent", "--hide-error-context")


def can_check_types() -> bool:
    return importlib.util.find_spec("mypy") is not None


def check_types(path: Path) -> list[Finding]:
    """mypy's errors in this file; nothing where mypy is not installed, or for a file that freqtrade types."""
    if not can_check_types() or imports_freqtrade(path):
        return []
    command = [sys.executable, "-m", "mypy", *_OPTIONS, path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    lines = [_LINE.match(line) for line in done.stdout.splitlines()]
    found = [Finding(int(line[1]), "Type", line[2]) for line in lines if line]
    if done.returncode not in (0, 1) and not found:
        found.append(Finding(0, "Type", (done.stderr or done.stdout).strip()))
    return found

"""What `smarttrade run` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Options:
    """See `smarttrade run --help`; None is the default of each."""

    file: Path
    data: Path | None = None
    compress: float | None = None
    seed: int = 0
    credentials: Path | None = None
    catalogue: Path | None = None
    source: Path | None = None
    state: Path | None = None
    until_fills: int | None = None
    timeout_s: float | None = None
    plain: bool = True

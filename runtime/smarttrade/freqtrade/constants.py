"""Types that strategies annotate with."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]
ListPairsWithTimeframes = list[tuple[str, ...]]

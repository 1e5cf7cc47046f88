"""A figure that stands alone, with no raw reference beside it."""

from __future__ import annotations

from typing import Any


def alone(metric: str, unit: str, ours: float, target: str, met: bool | None) -> dict[str, Any]:
    """The row of a result; a `target` of "reported" goes with `met` None."""
    return {
        "metric": metric,
        "unit": unit,
        "ours": ours,
        "reference": None,
        "reference_name": "",
        "ratio": None,
        "target": target,
        "met": met,
    }

"""The watches of Backtests and their jobs: each event puts one key into the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from smarttrade_operator.backtests.build import LABEL, SELECTOR
from smarttrade_operator.kinds import BACKTEST, JOB, Kind, Manifest
from smarttrade_operator.names import Key

Enqueue = Callable[[Key], None]


def add_watches(registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, enqueue: Enqueue) -> None:
    """Extend what kopf watches."""
    for kind in (BACKTEST, JOB):
        handler = _build_handler(kind, enqueue)
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)(handler)
    settings.watching.label_selectors[JOB.group, JOB.version, JOB.plural] = SELECTOR


def key_of(kind: Kind, manifest: Manifest) -> Key | None:
    """The Backtest that an object is, or belongs to by its label."""
    metadata = manifest["metadata"]
    name = metadata["name"] if kind is BACKTEST else (metadata.get("labels") or {}).get(LABEL)
    return Key(metadata["namespace"], name) if name else None


def _build_handler(kind: Kind, enqueue: Enqueue) -> Any:
    async def handle(event: Any, **_: object) -> None:
        key = key_of(kind, event["object"])
        if key is not None:
            enqueue(key)

    handle.__name__ = f"handle_{kind.plural}"
    return handle

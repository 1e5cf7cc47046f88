"""How an account is named inside the operator."""

from __future__ import annotations

from typing import NamedTuple

INSTALLATION_LABEL = "smarttrade.io/installation"
"""Which installation an account belongs to."""


class Key(NamedTuple):
    """One TradingAccount; what queue, cache and memory are keyed by."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

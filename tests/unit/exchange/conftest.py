"""Exchanges of which no connection is ever open."""

from __future__ import annotations

import importlib

import pytest

from smarttrade.exchange.loading import prepare_ccxt

# Else each worker would execute every exchange that ccxt knows.
prepare_ccxt()
Exchange = importlib.import_module("ccxt.async_support.base.exchange").Exchange


@pytest.fixture(autouse=True)
def nothing_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """ccxt waits for its connections to close, which takes no time where there are none."""
    monkeypatch.setattr(Exchange, "timeout_on_exit", 0)

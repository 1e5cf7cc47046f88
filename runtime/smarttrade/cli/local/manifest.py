"""Follows the manifest: saving the file is like `kubectl apply`."""

from __future__ import annotations

from pathlib import Path

from smarttrade.api import TradingAccount, load_account
from smarttrade.errors import ConfigurationError

# What the cluster's API refuses to change, and what would need other processes than those that run.
_FIXED = {
    "mode": "mode",
    "exchange": "exchange",
    "replicas": "replicas",
    "capital.currency": "capital.currency",
}


class ManifestFile:
    """One file; `changed` returns the account each time that a save changed it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.account = load_account(path)
        self._text = path.read_text(encoding="utf-8")

    def changed(self) -> TradingAccount | None:
        """The new account; ConfigurationError (once a save) when it cannot take effect: the old one stays."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError:
            return None  # an editor is just replacing it
        if text == self._text or not text.strip():
            return None
        self._text = text
        account = load_account(self._path)
        check_change(self.account, account)
        if account.spec == self.account.spec:
            return None
        self.account = account
        return account


def check_change(before: TradingAccount, after: TradingAccount) -> None:
    """ConfigurationError for a change that needs the run to be started again."""
    names = [(account.metadata.get("namespace"), account.metadata["name"]) for account in (before, after)]
    if names[0] != names[1]:
        raise ConfigurationError("the manifest names another account now: start another run for it")
    for path, name in _FIXED.items():
        if _get(before, path) != _get(after, path):
            raise ConfigurationError(
                f"spec.{name} cannot change while it runs: put it back, or stop and run again"
            )


def _get(account: TradingAccount, path: str) -> object:
    value: object = account.spec
    for part in path.split("."):
        value = getattr(value, part)
    return value

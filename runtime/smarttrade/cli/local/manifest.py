"""Follows the manifest and the modules of the user's own strategy: saving one is like `kubectl apply`."""

from __future__ import annotations

from pathlib import Path

from smarttrade.api import TradingAccount, load_account
from smarttrade.errors import ConfigurationError
from smarttrade.messages import StrategyVersion
from smarttrade.source import find_modules, pack, read_folder

# What the cluster's API refuses to change, and what would need other processes than those that run.
_FIXED = {
    "mode": "mode",
    "exchange": "exchange",
    "replicas": "replicas",
    "capital.currency": "capital.currency",
}


class ManifestFile:
    """One file, and the folder of its strategy's modules; `changed` returns the account each time that a save
    changed one of them."""

    def __init__(self, path: Path, source: Path | None = None) -> None:
        self._path = path
        self._source = source
        self.account = load_account(path)
        _check_source(self.account)
        self._text = path.read_text(encoding="utf-8")
        self._seen: list[tuple[str, int, int]] = []
        self._seen = self._look()
        self.strategy = self._pack()

    def changed(self) -> TradingAccount | None:
        """The new account; ConfigurationError (once a save) when it cannot take effect: the old one stays."""
        account, strategy = self._changed_account(), self.strategy
        seen = self._look()
        if account or seen != self._seen:
            self._seen = seen
            self.strategy = self._pack()
        return account or (self.account if self.strategy != strategy else None)

    def _look(self) -> list[tuple[str, int, int]]:
        """What tells that a module was saved, without reading all of them four times a second."""
        try:
            stats = [(path.name, path.stat()) for path in find_modules(self._source)] if self._source else []
        except OSError:
            return self._seen  # an editor is just replacing one
        return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in stats]

    def _pack(self) -> StrategyVersion | None:
        source = self.account.spec.strategy.source
        if source is None or self._source is None:
            return None
        return pack(source.origin, read_folder(self._source))

    def _changed_account(self) -> TradingAccount | None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError:
            return None  # an editor is just replacing it
        if text == self._text or not text.strip():
            return None
        self._text = text
        account = load_account(self._path)
        _check_source(account)
        check_change(self.account, account)
        if account.spec == self.account.spec:
            return None
        self.account = account
        return account


def _check_source(account: TradingAccount) -> None:
    if account.spec.strategy.image:
        raise ConfigurationError(
            "strategy.source.image runs in a cluster only: name a configMapRef instead, any, and "
            "give the files as --source DIR"
        )


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

"""The directory of one local run: keys, nats-server's store, credentials, logs.

A run on the simulated exchange forgets everything at its end, because the exchange does too; for any other
the log must outlive the run: it is what knows which orders are ours.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path

from smarttrade.bus.keys import OperatorKeys
from smarttrade.errors import ConfigurationError
from smarttrade.identity import AccountIdentity


class RunState:
    """Locked from construction to `close`: two runs of one account would be two strangers to each other."""

    def __init__(self, identity: AccountIdentity, directory: Path | None, *, temporary: bool) -> None:
        self._temporary = temporary and directory is None
        self.directory = directory or (_scratch(identity) if self._temporary else default_directory(identity))
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise ConfigurationError(
                f"{identity.key} already runs on {self.directory}: stop that run first"
            ) from error
        self.keys = self._read_keys()

    @property
    def nats(self) -> Path:
        return self.directory / "nats"

    @property
    def credentials(self) -> Path:
        return self._folder("credentials")

    @property
    def exchange_credentials(self) -> Path:
        return self._folder("exchange")

    @property
    def logs(self) -> Path:
        return self._folder("logs")

    def next_generation(self) -> int:
        """One more than the last run's last one."""
        path = self.directory / "generation"
        generation = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(generation))
        return generation

    def write_secret(self, folder: Path, name: str, content: str) -> Path:
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    def note_processes(self, processes: dict[str, dict[str, int | None]]) -> None:
        """`processes.json`: name to pid and probes port, for scripts."""
        scratch = self.directory / "processes.json.new"
        scratch.write_text(json.dumps(processes, indent=2))
        scratch.replace(self.directory / "processes.json")

    def keep(self) -> None:
        """Leave even a temporary directory behind, because somebody has to look into it."""
        self._temporary = False

    def close(self) -> None:
        self._lock.close()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def _read_keys(self) -> OperatorKeys:
        folder = self._folder("keys")
        files = {path.name: path.read_text() for path in folder.iterdir()}
        if files:
            return OperatorKeys.from_files(files)
        keys = OperatorKeys.generate()
        for name, content in keys.to_files().items():
            self.write_secret(folder, name, content)
        return keys


def default_directory(identity: AccountIdentity) -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "smarttrade" / "run" / f"{identity.namespace}-{identity.name}"


def _scratch(identity: AccountIdentity) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"smarttrade-{identity.name}-"))

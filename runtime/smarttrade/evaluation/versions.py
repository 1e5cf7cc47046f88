"""The modules of the user's own strategy, version after version in one process.

No process can be started for a new version (see `confinement`), and a restart would miss events. So each is
written into a folder of its own, and what Python keeps of the modules before gives way to it; that comes back
if the new version cannot be loaded.

What bites: what a version has done to others, such as a patched library or a thread, outlives it, and its
objects go on with its functions as long as somebody holds them. A process that is killed leaves its folder
behind (see `sweep`). A folder can be written to by the strategy; each load begins with one that nobody has
had. The modules of an image of the strategy's own lie in it, and stay the same while the process lives.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import SOURCE_DIRECTORY
from smarttrade.messages import StrategyVersion
from smarttrade.source import unpack

_NOWHERE = Path(os.devnull)
_PREFIX = "strategy-"


def sweep() -> None:
    """Remove what processes left that were killed; call it once, at the start. A container's temporary folder
    outlives it and is small, and its process has the same number every time."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdecimal() and (int(number) == os.getpid() or not _lives(int(number))):
            _remove(folder)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True


class Versions:
    """At most one version's modules at a time."""

    def __init__(self) -> None:
        self._folder = _NOWHERE

    @contextmanager
    def change(self, version: StrategyVersion | None) -> Iterator[Path]:
        """The folder with the version's modules, for a block that loads them; if it fails, the modules that
        were there before are there again. ConfigurationError for what cannot be unpacked."""
        folder = _place(version)
        before, search = _modules_in(self._folder), list(sys.path)
        _drop(before)
        sys.path[:] = [place for place in sys.path if place != str(self._folder)]
        importlib.invalidate_caches()
        try:
            yield folder
        except BaseException:
            _drop(_modules_in(folder))
            sys.modules.update(before)
            sys.path[:] = search
            _remove(folder)
            raise
        _remove(self._folder)
        self._folder = folder

    def close(self) -> None:
        """Leave nothing behind, on the disk or in what Python knows."""
        with self.change(None):
            pass


def _place(version: StrategyVersion | None) -> Path:
    if version is None:
        return _NOWHERE
    return _write(version) if version.packed else SOURCE_DIRECTORY


def _write(version: StrategyVersion) -> Path:
    files = unpack(version)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        _remove(folder)
        raise ConfigurationError(f"strategy {version.name} cannot be written: {error}") from error
    return folder


def _remove(folder: Path) -> None:
    if folder not in (_NOWHERE, SOURCE_DIRECTORY):
        shutil.rmtree(folder, ignore_errors=True)


def _modules_in(folder: Path) -> dict[str, ModuleType]:
    inside = f"{folder}{os.sep}"
    return {
        name: module
        for name, module in list(sys.modules.items())
        if str(getattr(module, "__dict__", {}).get("__file__", "")).startswith(inside)
    }


def _drop(modules: dict[str, ModuleType]) -> None:
    for name in modules:
        sys.modules.pop(name, None)

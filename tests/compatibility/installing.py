"""How each client gets onto this machine: its own environment in the cache, from its language's registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

CLIENTS_FOLDER = Path(__file__).resolve().parent / "clients"


@dataclass(frozen=True)
class PythonClient:
    """`clients/NAME_client.py` with packages from PyPI."""

    packages: tuple[str, ...]

    def command(self, name: str) -> list[str]:
        script = CLIENTS_FOLDER / f"{name.replace('-', '_')}_client.py"
        return [str(self._python(name)), str(script)]

    def version(self, name: str) -> str:
        code = f"from importlib.metadata import version; print(version({self.packages[0]!r}))"
        return _said([str(self._python(name)), "-c", code])

    def _python(self, name: str) -> Path:
        folder = _cache(name)
        python = folder / "bin" / "python"
        if not (folder / "complete").exists():
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *self.packages], check=True)
            (folder / "complete").touch()
        return python


@dataclass(frozen=True)
class NodeClient:
    """`clients/NAME/main.js` with a package from npm; needs Node."""

    package: str

    def command(self, name: str) -> list[str]:
        return ["node", str(self._folder(name) / "main.js")]

    def version(self, name: str) -> str:
        place = self._folder(name) / "node_modules" / self.package / "package.json"
        return _said(["node", "-p", f"require({str(place)!r}).version"])

    def _folder(self, name: str) -> Path:
        folder = _cache(name)
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            words = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), self.package]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            (folder / "complete").touch()
        shutil.copy(CLIENTS_FOLDER / name.replace("-", "_") / "main.js", folder)
        return folder


@dataclass(frozen=True)
class GoClient:
    """`clients/NAME/main.go` with a Go module; needs Go."""

    module: str

    def command(self, name: str) -> list[str]:
        return [str(self._program(name))]

    def version(self, name: str) -> str:
        self._program(name)
        return _said(["go", "list", "-m", "-f", "{{.Version}}", self.module], _cache(name))

    def _program(self, name: str) -> Path:
        folder = _cache(name)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(CLIENTS_FOLDER / name.replace("-", "_") / "main.go", folder)
        if not (folder / "go.mod").exists():
            _said(["go", "mod", "init", "client"], folder)
            _said(["go", "get", self.module], folder)
            _said(["go", "mod", "tidy"], folder)
        _said(["go", "build", "-o", "client", "."], folder)
        return folder / "client"


def _cache(name: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "smarttrade"
    return cache / "compatibility" / name


def _said(command: list[str], folder: Path | None = None) -> str:
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

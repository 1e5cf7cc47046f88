"""Reads hash-pinned requirement files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>.*)$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One locked package; `hashes` are of all files that may be installed for it."""

    name: str
    version: str
    marker: str = ""
    hashes: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


class UnpinnedError(Exception):
    """A line that admits more than one version."""


def read_lock(path: Path) -> list[Pin]:
    """Every package of the file; UnpinnedError for what is not pinned by `==`."""
    pins = []
    for entry in _entries(path.read_text()):
        match = _PIN.match(entry)
        if match is None:
            raise UnpinnedError(f"{path}: {entry.split(' ')[0]!r} is not pinned to one version")
        marker = match["rest"].partition("--hash")[0].strip(" ;\\")
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        pins.append(Pin(name, match["version"], marker, tuple(_HASH.findall(entry))))
    return sorted(pins)


def _entries(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]

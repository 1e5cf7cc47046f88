"""Reads what Go modules a program is built from.

`go.mod` names them, those of dependencies too, and `go.sum` holds each to its content. What bites: Go's own
library is that of whichever Go builds the program; the program itself says which (`go version -m`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from supply.lock import UnpinnedError

_REQUIRED = re.compile(r"^(?:require)?\s+(?P<name>[^\s()]+\.[^\s()]+) (?P<version>v\S+)", re.M)


@dataclass(frozen=True, slots=True, order=True)
class Module:
    """One module; `content` is the hash that Go holds its files to (`h1:...`)."""

    name: str
    version: str
    content: str

    @property
    def purl(self) -> str:
        return f"pkg:golang/{self.name.lower()}@{quote(self.version, safe='.-_~')}"


def read_modules(folder: Path) -> list[Module]:
    """Every module that the program in the folder requires; UnpinnedError for one that nothing holds."""
    lines = (line.split() for line in (folder / "go.sum").read_text().splitlines())
    sums = {(name, version): content for name, version, content in lines}
    modules = []
    for required in _REQUIRED.finditer((folder / "go.mod").read_text()):
        name, version = required["name"], required["version"]
        if (name, version) not in sums:
            raise UnpinnedError(f"{folder / 'go.sum'} does not hold {name} {version} to its content")
        modules.append(Module(name, version, sums[name, version]))
    return sorted(modules)

"""The audit of locked packages: held by hashes, of a licence that may be shipped, not known to be vulnerable.

Advisories are a file of the repository, so the audit is as new as its last review, which it prints. Whoever
updates the lock reviews them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from supply.lock import Pin

# Substrings of how the packages' own metadata name them. Nothing that would bind our source is among them.
LICENCES = ("apache", "mit", "bsd", "isc", "psf", "python software foundation", "mpl", "mozilla public")


@dataclass(frozen=True, slots=True)
class Advisory:
    """Versions of the package below `fixed` are vulnerable."""

    package: str
    fixed: str
    id: str


@dataclass(frozen=True, slots=True)
class Advisories:
    """When they were reviewed, as an ISO date, and what they are."""

    reviewed: str
    known: tuple[Advisory, ...]


def read_advisories(path: Path) -> Advisories:
    content = tomllib.loads(path.read_text())
    known = tuple(Advisory(**each) for each in content["advisory"])
    return Advisories(str(content["reviewed"]), known)


def audit(pins: Iterable[Pin], advisories: Advisories) -> Iterator[str]:
    """Everything that is wrong, one sentence each."""
    for pin in pins:
        if not pin.hashes:
            yield f"{pin.name} {pin.version} is locked without a hash: run `make lock`"
        for each in advisories.known:
            if each.package == pin.name and Version(pin.version) < Version(each.fixed):
                yield f"{pin.name} {pin.version} is vulnerable ({each.id}): take {each.fixed} or later"


def audit_licences(names: Iterable[str]) -> Iterator[str]:
    """Of the packages that are installed here; others are for other systems."""
    for name in sorted(set(names)):
        try:
            told = _licence(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            continue
        if not any(word in told.lower() for word in LICENCES):
            yield f"{name} has the licence {told or 'unknown'!r}: may it be shipped? Add it to supply.audit"


def _licence(package: metadata.Distribution) -> str:
    """As the package states it, else the beginning of the licence that comes with it."""
    fields = package.metadata
    classifiers = [each for each in fields.get_all("Classifier") or [] if each.startswith("License ::")]
    stated = [*(fields.get_all("License-Expression") or []), *classifiers, *(fields.get_all("License") or [])]
    files = [each for each in package.files or [] if Path(each).name.upper().startswith("LICEN")]
    texts = [each.read_text() for each in files[:1]]
    return next((text.strip()[:200] for text in (*stated, *texts) if text.strip()), "")

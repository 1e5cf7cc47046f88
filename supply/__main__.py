"""`python -m supply write` after the lock changed; `python -m supply check` in every check."""

from __future__ import annotations

import sys
from pathlib import Path

from supply.audit import audit, audit_licences, read_advisories
from supply.lock import UnpinnedError, read_lock
from supply.sbom import REQUIREMENTS, ROOT, build_all


def write() -> int:
    for path, text in build_all().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)
    return 0


def check() -> int:
    locks = sorted(REQUIREMENTS.glob("*.txt"))
    try:
        pins = sorted({pin for path in locks for pin in read_lock(path)})
    except UnpinnedError as error:
        print(error, file=sys.stderr)
        return 1
    advisories = read_advisories(REQUIREMENTS / "advisories.toml")
    shipped = [
        pin.name for path in locks if path.name in ("operator.txt", "runtime.txt") for pin in read_lock(path)
    ]
    complaints = [*_stale(build_all()), *audit(pins, advisories), *audit_licences(shipped)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not complaints:
        count = len({(pin.name, pin.version) for pin in pins})
        print(
            f"{count} locked packages, {len(advisories.known)} advisories as of {advisories.reviewed}: sound"
        )
    return 1 if complaints else 0


def _stale(bills: dict[Path, str]) -> list[str]:
    stale = [path for path, text in bills.items() if not path.exists() or path.read_text() != text]
    return [f"{path.relative_to(ROOT)} is not what is locked: run `python -m supply write`" for path in stale]


if __name__ == "__main__":
    commands = {"write": write, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit("usage: python -m supply write|check")
    sys.exit(commands[sys.argv[1]]())

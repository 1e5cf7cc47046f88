"""Writes the generated definition into the checkout, or with --check says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from smarttrade.api.crds import backtest, document, reference


def main(arguments: list[str]) -> int:
    root = Path.cwd()
    if not (root / "pyproject.toml").is_file():
        print(f"{root} is not the checkout's root: run this where pyproject.toml is", file=sys.stderr)
        return 2
    wanted = {root / path: module.render() for module in (document, backtest) for path in module.PATHS}
    wanted |= {root / path: text for path, text in reference.render_all().items()}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path} does not follow from the models: run `make crds`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

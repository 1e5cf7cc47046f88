"""The README's commands, so that tests can run exactly these and none is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """The shell blocks."""
    return re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL)


def commands() -> list[str]:
    """Every command: the lines of the shell blocks, and what is called by `make` in the text."""
    lines = [line.partition(" # ")[0].strip() for block in blocks() for line in block.splitlines()]
    inline = [re.sub(r"\s+", " ", each) for each in re.findall(r"`(make\s[^`]+)`", TEXT)]
    return list(dict.fromkeys([*filter(None, lines), *inline]))


def block_with(start: str) -> str:
    """The block that begins with `start`."""
    (found,) = [block for block in blocks() if block.startswith(start)]
    return found

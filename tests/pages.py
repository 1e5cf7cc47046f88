"""The blocks of the documentation's pages, so that tests can run exactly these and none is left out.

The README has its own (`tests.readme`), and docs/design is no guide: it says what was thought on a day.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "charts/smarttrade/README.md",
)

# What no test runs as it is written, by how the command begins: why not, and what is run instead.
NOT_RUN = {
    "smarttrade data download": "asks a real exchange; the test of the pages does it with the simulated one",
    "pip install 'smarttrade[freqtrade]'": "asks a package index; the lock has what the extra needs",
    "make chaos": "half an hour of two idle cores, a programme of its own",
    "python -m tests.chaos": "minutes of two idle cores, a programme of its own",
    "smarttrade run ACCOUNT.yaml --source FOLDER": "its twin of the strategy guide is run, until a pod leads",
    "kubectl create configmap mine -n NAMESPACE": "its twin of the strategy guide is run",
    "helm install smarttrade charts/smarttrade": "pulls published images; the tests install those made here",
    "helm test smarttrade": "of a release by that name in that place; the tests do it with theirs",
    "$ kubectl get backtests": "shows what it prints; a test of Backtests asks for the same columns",
}


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Of a shell block: its lines, continued ones joined, without remarks; of those with `$` these."""
        lines = [line.partition("  # ")[0].strip() for line in self.text.replace("\\\n", " ").splitlines()]
        marked = [line for line in lines if line.startswith("$ ")]
        return [re.sub(r"\s+", " ", line) for line in marked or lines if line]


def blocks() -> list[Block]:
    """All that are code: those without a language are shell commands."""
    found = [
        Block(str(page.relative_to(ROOT)), language or "sh", text)
        for page in PAGES
        for language, text in re.findall(
            r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
    ]
    return [block for block in found if block.language not in ("yaml", "json", "dockerfile")]


def find(page: str, start: str) -> Block:
    """The one block of the page that begins so."""
    [found] = [block for block in blocks() if block.page == page and block.text.startswith(start)]
    return found


def words_of(command: str) -> list[str]:
    """To run it, with this checkout's program for what a user has installed."""
    first, *rest = shlex.split(command)
    return [str(ROOT / ".venv" / "bin" / "smarttrade") if first == "smarttrade" else first, *rest]


def reason_not_to_run(command: str) -> str:
    return next((reason for start, reason in NOT_RUN.items() if command.startswith(start)), "")

"""`make help` is complete: every target is listed with what it does, and nothing else is."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMISED = ("setup", "check", "test", "test-unit", "test-component", "test-e2e", "demo", "demo-down")
PROMISED += ("cluster-up", "cluster-down", "images", "crds", "bench", "clean")


def listed() -> dict[str, str]:
    """What `make help` prints: target -> description."""
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    plain = re.sub(r"\x1b\[\d*m", "", done.stdout)
    return dict(re.findall(r"(?m)^ +(\S+) +(\S.*)$", plain))


def phony() -> set[str]:
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    return {target for line in re.findall(r"(?m)^\.PHONY:(.*)$", text) for target in line.split()}


def test_help_lists_exactly_the_targets() -> None:
    assert set(listed()) == phony()


def test_help_lists_what_is_promised() -> None:
    assert [target for target in PROMISED if target not in listed()] == []

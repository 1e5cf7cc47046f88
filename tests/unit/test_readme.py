"""The README keeps its promises: every command in it exists, every file it names is there."""

import re
import subprocess
from xml.etree import ElementTree

import pytest

from tests import readme

ROOT, README = readme.ROOT, readme.TEXT
END_TO_END = ROOT / "tests" / "e2e" / "demo"


def test_every_linked_file_exists() -> None:
    missing = [link for link in re.findall(r"\]\((?!http)([^)#]+)\)", README) if not (ROOT / link).exists()]
    assert missing == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z0-9-]+)", README))))
def test_every_make_target_exists_and_is_listed(target: str) -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"(?m)^\W*(\[1m)?{target}\b", listed), f"make help does not list {target}"


def test_every_command_is_run_by_an_end_to_end_test() -> None:
    tests = "".join(file.read_text("utf-8") for file in sorted(END_TO_END.glob("*.py")))
    (start,) = re.findall(r'FIRST_ACCOUNT = "(.*)"', tests)
    as_a_block = {line.strip() for line in readme.block_with(start).splitlines()}
    # These tests are themselves what `make test` runs, and .ci/run calls it by that name.
    assert "exec make test\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    run = as_a_block | {"make test"} | set(re.findall(r'"((?:make|\.venv/bin/)[^"{]+)"', tests))
    assert [command for command in readme.commands() if command not in run] == []
    assert len(readme.commands()) >= 10


def test_the_picture_is_well_formed() -> None:
    assert ElementTree.parse(ROOT / "docs" / "architecture.svg").getroot().tag.endswith("svg")

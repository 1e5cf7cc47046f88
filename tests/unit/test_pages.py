"""Every block of the pages is run by a test, or is on the one list of those that are not, with the reason."""

import pytest

from tests.pages import NOT_RUN, ROOT, Block, blocks, reason_not_to_run

GUIDE, DEMO = "tests/component/cli/test_guide.py", "tests/e2e/demo/test_demo.py"
TRIED = "tests/component/cli/test_pages.py"
RESTORE = "tests/component/operator/test_restore.py"
# Which test runs what of a page begins so.
RUN = {
    ("docs/backtest.md", "smarttrade backtest"): TRIED,
    ("docs/backtest.md", "smarttrade data"): TRIED,
    ("docs/backtest.md", "smarttrade sweep"): TRIED,
    ("docs/backup.md", "kubectl "): RESTORE,
    ("docs/freqtrade.md", "smarttrade backtest"): TRIED,
    ("docs/simulator.md", "smarttrade simulator"): TRIED,
    ("docs/simulator.md", "from smarttrade.simulator.testing"): TRIED,
    ("docs/strategies.md", ".venv/bin/smarttrade strategy"): GUIDE,
    ("docs/strategies.md", ".venv/bin/smarttrade run"): GUIDE,
    ("docs/strategies.md", "from decimal import"): "tests/unit/strategies/test_documentation.py",
    ("docs/strategies.md", "from collections import"): "tests/unit/evaluation/test_talib.py",
    ("docs/strategies.md", "export "): DEMO,
    ("docs/strategies.md", "kubectl "): DEMO,
}


def _commands() -> list[tuple[str, str]]:
    def lines(block: Block) -> list[str]:
        return block.commands if block.language == "sh" else [block.text]

    return [(block.page, line) for block in blocks() for line in lines(block)]


@pytest.mark.parametrize(("page", "command"), _commands())
def test_a_command_is_run_by_one_test_or_said_not_to_be(page: str, command: str) -> None:
    tests = [test for (of, start), test in RUN.items() if of == page and command.startswith(start)]
    assert len(tests) == 1 or reason_not_to_run(command), f"{page}: no test runs {command}"
    for test in tests:
        assert page.rpartition("/")[2] in (ROOT / test).read_text("utf-8"), f"{test} does not read {page}"


def test_nothing_is_listed_that_no_page_has() -> None:
    commands = [command for _, command in _commands()]
    assert [start for start in NOT_RUN if not any(each.startswith(start) for each in commands)] == []
    found = {
        (page, start)
        for page, command in _commands()
        for of, start in RUN
        if of == page and command.startswith(start)
    }
    assert found == RUN.keys()

"""What a file that imports freqtrade finds, and what stays out of everybody else's way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.foreign import imports_freqtrade
from smarttrade.evaluation.loading import load_module


def load(tmp_path: Path, source: str, name: str = "written") -> object:
    (tmp_path / f"{name}.py").write_text("from freqtrade.strategy import IStrategy\n" + source)
    return load_module(tmp_path, name)


def test_names_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"freqtrade\.freqai is not among the names"):
        load(tmp_path, "import freqtrade.freqai\n")


def test_a_library_that_is_imported_and_never_used_need_not_be_installed(tmp_path: Path) -> None:
    module = load(
        tmp_path, "import pandas_ta as pta\nfrom skopt.space import Real\nused = lambda: pta.rsi([1])\n"
    )
    with pytest.raises(ConfigurationError, match=r"pandas_ta\.rsi is not installed: add pandas_ta"):
        module.used()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from freqtrade.strategy import IStrategy", True),
        ("import freqtrade.vendor.qtpylib.indicators as q", True),
        ("from smarttrade import Strategy  # not freqtrade", False),
        ("import freqtrade_like", False),
        ("def (", False),
    ],
)
def test_a_file_for_freqtrade_is_told_by_its_imports(tmp_path: Path, source: str, expected: bool) -> None:
    (tmp_path / "a.py").write_text(source)
    assert imports_freqtrade(tmp_path / "a.py") is expected


def test_nothing_of_it_is_loaded_for_other_strategies() -> None:
    code = (
        "import sys, smarttrade.evaluation.service, smarttrade.backtest.command, smarttrade.cli.main\n"
        "from smarttrade.strategies import load_built_in; load_built_in('ma-cross')\n"
        "print([name for name in ('pandas', 'talib', 'smarttrade.freqtrade') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

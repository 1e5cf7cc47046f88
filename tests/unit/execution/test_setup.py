"""On which exchange an account may trade live, and what it is told where it may not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.exchange.capabilities import CAPABILITIES, Deadline, Evidence
from smarttrade.execution.setup import build_tuning, check_capability
from tests.unit.execution.desk import build_spec

DOCUMENTED = sorted(name for name, row in CAPABILITIES.items() if row.evidence is Evidence.DOCUMENTED)


def on(exchange: str, **more: Any) -> Any:
    return build_spec(exchange={"name": exchange, **more})


def test_live_is_offered_where_the_row_was_verified() -> None:
    assert check_capability(on("binance")).evidence is Evidence.VERIFIED


@pytest.mark.parametrize("name", DOCUMENTED)
def test_live_on_a_documented_row_needs_the_objects_opt_in(name: str) -> None:
    with pytest.raises(ConfigurationError, match="unverified to Accept"):
        check_capability(on(name))
    assert check_capability(on(name, unverified="Accept")).exchange == name


def test_paper_needs_no_opt_in() -> None:
    paper = build_spec(mode="Paper", riskAcknowledgement="", exchange={"name": "okx"})
    assert check_capability(paper).exchange == "okx"


def test_an_exchange_without_a_deadline_is_not_offered_live_whatever_the_object_accepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CAPABILITIES, "okx", replace(CAPABILITIES["okx"], deadline=Deadline.NONE))
    with pytest.raises(ConfigurationError, match="no deadline"):
        check_capability(on("okx", unverified="Accept"))


def test_an_exchange_without_a_row_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(ConfigurationError, match="binance"):
        check_capability(on("nowhere"))


def test_only_live_accounts_have_a_preflight() -> None:
    row = CAPABILITIES["binance"]
    assert build_tuning(build_spec(), row, 1).preflight
    assert not build_tuning(build_spec(mode="Paper", riskAcknowledgement=""), row, 1).preflight

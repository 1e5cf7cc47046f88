from typing import Any

import pytest

from smarttrade.api import TradingAccountSpec
from smarttrade.api.pending import PENDING, fields_without_effect
from tests.component.api.accounts import VALID, changed

ASKED: dict[str, dict[str, Any]] = {
    "spec.exchange.deadMansSwitch": {"spec.exchange.deadMansSwitch": "Armed"},
}


def _asked(changes: dict[str, Any]) -> list[str]:
    spec = TradingAccountSpec.model_validate(changed(changes)["spec"])
    return [field.path for field in fields_without_effect(spec)]


@pytest.mark.parametrize("field", PENDING, ids=lambda field: field.path)
def test_a_field_without_effect_is_named_when_it_is_set(field: Any) -> None:
    assert _asked(ASKED[field.path]) == [field.path]


def test_an_account_that_asks_for_none_of_them_names_none() -> None:
    assert fields_without_effect(TradingAccountSpec.model_validate(VALID["spec"])) == []

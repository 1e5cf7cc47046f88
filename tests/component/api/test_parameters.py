"""Ranges of the built-in strategies' parameters: the API server refuses what the strategies would."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.parameters import Parameter, declared_parameters, read_parameters
from smarttrade.strategies import BUILT_IN, load_built_in
from tests.component.api.accounts import VALID
from tests.component.api.client import Answer, Client


def _create(client: Client, accounts: str, name: str, parameters: dict[str, Any]) -> Answer:
    manifest = copy.deepcopy(VALID)
    manifest["metadata"].pop("namespace")
    manifest["spec"]["strategy"] = {"name": name, "parameters": parameters}
    return client.call("POST", f"{accounts}?fieldValidation=Strict&dryRun=All", manifest)


def _edges(parameter: Parameter[Any]) -> list[Any]:
    """The least and the greatest that are allowed, just beyond them, and what is not of the kind."""
    if parameter.choices:
        return [*parameter.choices, "other", 1]
    step = 1 if isinstance(parameter.default, int) else Decimal("0.00001")
    bounds = [(parameter.minimum, -step), (parameter.maximum, step)]
    numbers = [value for bound, beyond in bounds if bound is not None for value in (bound, bound + beyond)]
    written = [number if isinstance(number, int) else format(number, "f") for number in numbers]
    return [*written, *(str(number) for number in written), "quick", "", "1.5"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_server_takes_what_a_strategy_takes_and_no_more(client: Client, accounts: str, name: str) -> None:
    strategy = load_built_in(name)
    for parameter, declared in declared_parameters(strategy).items():
        for value in _edges(declared):
            answer = _create(client, accounts, name, {parameter: value})
            if _is_taken(strategy, parameter, value):
                assert answer.status == 201, answer.message
            else:
                assert answer.status == 422, (parameter, value)
                assert f"{parameter} must be {declared.allowed}" in answer.message


def _is_taken(strategy: type, parameter: str, value: Any) -> bool:
    try:
        read_parameters(strategy, {parameter: value})
    except ConfigurationError:
        return False
    return True


def test_a_parameter_that_a_strategy_has_not_is_refused_with_those_that_it_has(
    client: Client, accounts: str
) -> None:
    answer = _create(client, accounts, "grid", {"level": 3})
    assert answer.status == 422
    assert "spec.strategy.parameters" in answer.message
    assert "strategy grid has the parameters levels, step, fraction and no other" in answer.message


def test_a_value_is_refused_at_its_field_with_what_is_allowed(client: Client, accounts: str) -> None:
    answer = _create(client, accounts, "grid", {"levels": 21})
    assert "spec.strategy.parameters: Invalid value" in answer.message
    assert "levels must be an integer at least 1 and at most 20" in answer.message

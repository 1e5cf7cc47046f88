"""The generated definition in a real API server: what it refuses, and in which words."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from smarttrade.api import TradingAccountSpec
from tests.component.api.accounts import (
    IMMUTABLE,
    MISTAKES,
    MUTABLE,
    VALID,
    VARIATIONS,
    Manifest,
    Mistake,
    changed,
)
from tests.component.api.client import Answer, Client

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.yaml"))


def _create(client: Client, accounts: str, manifest: Manifest, *, dry: bool = True) -> Answer:
    manifest = copy.deepcopy(manifest)
    manifest["metadata"].pop("namespace")
    query = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
    return client.call("POST", accounts + query, manifest)


@pytest.fixture
def account(client: Client, accounts: str) -> Any:
    """Path of an account that exists."""
    answer = _create(client, accounts, VALID, dry=False)
    assert answer.status == 201, answer.message
    yield f"{accounts}/alice"
    client.call("DELETE", f"{accounts}/alice")


def test_the_definition_is_established_as_structural(definition: dict[str, str]) -> None:
    assert definition["Established"] == "True"
    assert definition.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_refused_with_what_to_change(client: Client, accounts: str, mistake: Mistake) -> None:
    answer = _create(client, accounts, mistake.manifest)
    assert answer.status in (400, 422), answer.body
    for words in mistake.answer:
        assert words in answer.message


@pytest.mark.parametrize("changes", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_a_valid_account_is_accepted(client: Client, accounts: str, changes: dict[str, Any]) -> None:
    answer = _create(client, accounts, changed(changes))
    assert answer.status == 201, answer.message


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_accepted(client: Client, accounts: str, example: Path) -> None:
    answer = _create(client, accounts, yaml.safe_load(example.read_text()))
    assert answer.status == 201, answer.message


@pytest.mark.parametrize("changes", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_the_server_fills_in_the_defaults_of_the_models(
    client: Client, accounts: str, changes: dict[str, Any]
) -> None:
    manifest = changed(changes)
    answer = _create(client, accounts, manifest)
    filled, ours = answer.body["spec"], TradingAccountSpec.model_validate(manifest["spec"])
    assert TradingAccountSpec.model_validate(filled) == ours
    written = ours.model_dump(mode="json", by_alias=True, exclude_none=True)
    if changes != VARIATIONS["an empty share"]:
        assert filled == written


@pytest.mark.parametrize("changes", IMMUTABLE.values(), ids=IMMUTABLE.keys())
def test_what_an_account_is_cannot_be_changed(client: Client, account: str, changes: dict[str, Any]) -> None:
    answer = client.merge(account, {"spec": changed(changes)["spec"]})
    assert answer.status == 422
    assert "cannot be changed: create another TradingAccount" in answer.message


@pytest.mark.parametrize("path", MUTABLE)
def test_what_an_account_does_can_be_changed(client: Client, account: str, path: str) -> None:
    answer = client.merge(account, {"spec": changed({path: MUTABLE[path]})["spec"]})
    assert answer.status == 200, answer.message
    assert answer.body["metadata"]["generation"] == 2


def test_an_account_without_a_specification_is_refused(client: Client, accounts: str) -> None:
    answer = _create(client, accounts, {key: VALID[key] for key in ("apiVersion", "kind", "metadata")})
    assert answer.status == 422
    assert "spec: Required value" in answer.message


def test_status_is_written_apart_and_shown_in_columns(client: Client, account: str) -> None:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Trading",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "effectiveState": "Active",
        "leader": "alice-0",
        "equity": "10000.5",
        "realizedPnl": "-3.25",
        "positions": [{"symbol": "BTC/USDT", "quantity": "-0.5", "averagePrice": "60000"}],
        "conditions": [condition],
    }
    assert "status" not in client.merge(account, {"status": status}).body
    written = client.merge(f"{account}/status", {"status": status})
    assert written.body["status"] == {**status, "exchangeMarks": []}
    assert written.body["metadata"]["generation"] == 1
    assert _columns(client, account)[1:7] == ["Active", "Paper", "True", "alice-0", "10000.5", "-3.25"]


def test_an_unknown_state_in_status_is_refused(client: Client, account: str) -> None:
    assert client.merge(f"{account}/status", {"status": {"effectiveState": "Fine"}}).status == 422


def test_two_appliers_share_the_markets(client: Client, account: str) -> None:
    """A list map: each manager owns its own symbol."""
    manifest = changed({"spec": {"markets": [{"symbol": "ETH/USDT"}]}})
    manifest["metadata"] = {"name": "alice"}
    answer = client.apply(account, manifest, "fieldManager=second")
    assert [market["symbol"] for market in answer.body["spec"]["markets"]] == ["BTC/USDT", "ETH/USDT"]


def _columns(client: Client, account: str) -> list[str]:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = client.call("GET", account, accept=accept).body
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names[:8] == ["Name", "State", "Mode", "Ready", "Leader", "Equity", "PnL", "Unrealized"]
    return list(table["rows"][0]["cells"])

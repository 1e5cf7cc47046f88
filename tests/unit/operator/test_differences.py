"""What two states of an account's object differ in, and who is said to have done it."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from smarttrade.bus.change_rows import FieldChange, ObjectChanged, Writer, encode, omit
from smarttrade.cli.deleting import ALLOW_DELETION
from smarttrade_operator.cache import Cache
from smarttrade_operator.differences import HEEDED, build_change, meaning, restate
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import INSTALLATION_LABEL, Key
from tests.unit.operator.accounts import build_manifest

ALICE = Key("alice", "alice")
FIRST, LATER = "2026-11-30T10:00:00Z", "2026-11-30T11:00:00Z"
SPEC = {
    name: {f"f:{field}": {} for field in fields}
    for name, fields in {
        "f:exchange": ("name", "environment"),
        "f:strategy": (".", "name", "timeframe"),
        "f:capital": ("currency", "allocation"),
        "f:risk": ("maxOrderNotional", "maxPositionNotional", "maxDailyLoss", "maxDrawdown"),
    }.items()
} | {"f:markets": {'k:{"symbol":"BTC/USDT"}': {".": {}, "f:symbol": {}}}}


def _entry(
    manager: str,
    fields: Manifest,
    time: str = LATER,
    operation: str = "Update",
    *,
    metadata: Manifest | None = None,
    subresource: str = "",
) -> Manifest:
    content = ({"f:spec": fields} if fields else {}) | ({"f:metadata": metadata} if metadata else {})
    entry = {"manager": manager, "operation": operation, "time": time, "fieldsV1": content}
    return entry | ({"subresource": subresource} if subresource else {})


def _applied(time: str = FIRST, manager: str = "kubectl", without: tuple[str, ...] = ()) -> Manifest:
    fields = deepcopy(SPEC)
    for path in without:
        place, _, field = path.partition(".")
        fields[f"f:{place}"].pop(f"f:{field}")
    return _entry(manager, fields, time, "Apply")


def _state(managed: list[Manifest], generation: int = 4, **spec: Any) -> Manifest:
    account = build_manifest(**spec)
    account["metadata"] |= {"managedFields": managed, "generation": generation}
    account["metadata"]["resourceVersion"] = str(generation + 10)
    return account


def _first(account: Manifest) -> ObjectChanged:
    row = build_change(None, account)
    assert row is not None
    return row


BEFORE = _first(_state([_applied()]))
RISK = build_manifest()["spec"]["risk"]


def _since(account: Manifest, before: ObjectChanged = BEFORE) -> dict[str, tuple[Any, Any, list[str]]]:
    row = build_change(before, account)
    return {c.path: (c.old, c.new, [w.manager for w in c.by]) for c in row.changes} if row else {}


def test_the_first_row_has_every_field_and_who_applied_it() -> None:
    row = _first(_state([_applied()]))
    assert (row.generation, row.previous_generation, row.resource_version) == (4, None, "14")
    applier = Writer(manager="kubectl", operation="Apply", time=FIRST)
    assert FieldChange(path="spec.risk.maxDailyLoss", new="200", by=(applier,)) in row.changes
    assert (
        FieldChange(path="spec.markets[symbol=BTC/USDT].symbol", new="BTC/USDT", by=(applier,)) in row.changes
    )
    assert row.object["spec"] == build_manifest()["spec"]
    assert row.writers == (applier,)


def test_an_edit_is_its_managers_and_the_rest_stays_who_applied_it() -> None:
    edited = _state(
        [
            _applied(without=("risk.maxDailyLoss",)),
            _entry("kubectl-edit", {"f:risk": {"f:maxDailyLoss": {}}}),
        ],
        generation=5,
        risk=RISK | {"maxDailyLoss": "900"},
    )
    row = build_change(BEFORE, edited)
    assert row is not None
    editor = Writer(manager="kubectl-edit", operation="Update", time=LATER)
    assert row.changes == (FieldChange(path="spec.risk.maxDailyLoss", old="200", new="900", by=(editor,)),)
    assert (row.previous_generation, row.generation) == (4, 5)
    assert build_change(row, edited) is None


def test_two_who_apply_are_told_apart_and_of_a_shared_field_the_later_one_is_named() -> None:
    risk = {"f:risk": {"f:maxDailyLoss": {}, "f:maxDrawdown": {}}}
    both = _state(
        [_applied(), _entry("risk-desk", risk, LATER, "Apply")],
        risk=RISK | {"maxDailyLoss": "100"},
        strategy={"name": "rsi-reversion", "timeframe": "1m"},
    )
    both["metadata"]["managedFields"][0]["time"] = "2026-11-30T10:30:00Z"
    assert _since(both) == {
        "spec.risk.maxDailyLoss": ("200", "100", ["risk-desk"]),
        "spec.strategy.name": ("ma-cross", "rsi-reversion", ["kubectl"]),
    }


def test_a_controller_that_scales_is_named_with_the_subresource() -> None:
    scaler = _entry("autoscaler", {"f:replicas": {}}, subresource="scale")
    row = build_change(BEFORE, _state([_applied(), scaler], replicas=2))
    assert row is not None
    by = Writer(manager="autoscaler", operation="Update", time=LATER, subresource="scale")
    assert row.changes == (FieldChange(path="spec.replicas", new=2, by=(by,)),)


@pytest.mark.parametrize(
    "metadata",
    [
        {"finalizers": ["smarttrade.io/settle"]},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
        {"labels": {"team": "blue"}},
        {"annotations": {"smarttrade.io/of-nobody": "x" * 250_000}},
    ],
)
def test_neither_status_nor_foreign_metadata_is_a_change(metadata: Manifest) -> None:
    status = _entry("smarttrade-operator", {}, subresource="status", metadata={"f:annotations": {}})
    account = _state([_applied(), status]) | {"status": {"phase": "Running"}}
    account["metadata"] |= metadata | {"resourceVersion": "99"}
    assert build_change(BEFORE, account) is None


def test_our_annotations_and_a_deletion_are_changes_of_the_same_generation() -> None:
    key = "smarttrade.io/rotate-credentials"
    noted = _entry("smarttrade", {}, metadata={"f:annotations": {f"f:{key}": {}}})
    account = _state([_applied(), noted])
    account["metadata"] |= {"annotations": {key: "now"}, "deletionTimestamp": LATER}
    assert _since(account) == {
        f"metadata.annotations[{key}]": (None, "now", ["smarttrade"]),
        "metadata.deletionTimestamp": (None, LATER, []),
    }


def test_a_field_that_an_apply_left_out_is_removed_by_who_applied() -> None:
    account = _state([_applied(LATER, without=("capital.allocation",))], capital={"currency": "USDT"})
    assert _since(account) == {"spec.capital.allocation": ("10000", None, ["kubectl"])}


def test_of_a_removal_by_an_update_nobody_is_accused() -> None:
    """It leaves no note: whoever held the field before did not do it."""
    account = _state([_applied(without=("capital.allocation",))], capital={"currency": "USDT"})
    assert _since(account) == {"spec.capital.allocation": ("10000", None, [])}


def test_entries_of_a_list_are_known_by_their_symbol() -> None:
    markets = [{"symbol": "ETH/USDT"}, {"symbol": "BTC/USDT", "maxPositionNotional": "7"}]
    eth = {'k:{"symbol":"ETH/USDT"}': {".": {}, "f:symbol": {}}}
    btc = {'k:{"symbol":"BTC/USDT"}': {"f:maxPositionNotional": {}}}
    managed = [_applied(), _entry("one", {"f:markets": eth}), _entry("two", {"f:markets": btc})]
    assert _since(_state(managed, markets=markets)) == {
        "spec.markets[symbol=ETH/USDT].symbol": (None, "ETH/USDT", ["one"]),
        "spec.markets[symbol=BTC/USDT].maxPositionNotional": (None, "7", ["two"]),
    }


def test_a_list_of_values_is_one_value_and_its_shortening_accuses_nobody_who_held_it() -> None:
    held = _entry("kubectl", {"f:allowed": {'v:"a"': {}, 'v:"b"': {}}}, FIRST)
    before = _first(_state([held], allowed=["a", "b"]))
    shortened = _entry("kubectl", {"f:allowed": {'v:"a"': {}}}, FIRST)
    assert _since(_state([shortened], allowed=["a"]), before) == {"spec.allowed": (["a", "b"], ["a"], [])}
    longer = _entry("other", {"f:allowed": {'v:"c"': {}}})
    assert _since(_state([held, longer], allowed=["a", "b", "c"]), before) == {
        "spec.allowed": (["a", "b"], ["a", "b", "c"], ["other"])
    }


def test_a_default_that_nobody_set_is_nobodys() -> None:
    assert _since(_state([_applied()], replicas=1)) == {"spec.replicas": (None, 1, [])}


def test_an_object_made_anew_under_its_name_begins_anew() -> None:
    account = _state([_applied()])
    account["metadata"]["uid"] = "another"
    row = build_change(BEFORE, account)
    assert row is not None
    assert row.previous_generation is None
    assert len(row.changes) == len(BEFORE.changes)


def test_what_is_heeded_is_what_is_defined() -> None:
    assert ALLOW_DELETION in HEEDED["annotations"]
    assert INSTALLATION_LABEL in HEEDED["labels"]


def test_the_order_of_entries_with_symbols_and_what_is_null_mean_nothing() -> None:
    markets = [{"symbol": "BTC/USDT"}, {"symbol": "ETH/USDT", "maxPositionNotional": None}]
    one, other = _state([], markets=markets), _state([], markets=markets[::-1], replicas=None)
    assert meaning(one) == meaning(other)
    assert meaning(_state([], allowed=["a", "b"])) != meaning(_state([], allowed=["b", "a"]))
    twice = [{"symbol": "BTC/USDT"}] * 2
    assert build_change(_first(_state([], x=twice)), _state([], x=twice[:1])) is not None


def test_a_big_value_is_told_by_its_size_and_digest() -> None:
    text = "ä" * 2_000
    row = _first(_state([_applied()], strategy={"name": "mine", "parameters": {"model": text}}))
    digest = {"bytes": 4_000, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    change = next(each for each in row.changes if each.path == "spec.strategy.parameters.model")
    assert change.new == {"$omitted": digest} == row.object["spec"]["strategy"]["parameters"]["model"]
    smaller = _state([_applied()], strategy={"name": "mine", "parameters": {"model": [1] * 900}})
    replaced = build_change(row, smaller)
    assert replaced is not None
    (change,) = replaced.changes
    assert (change.old, change.new["$omitted"]["bytes"]) == ({"$omitted": digest}, 1_801)


def _decode(payload: bytes) -> ObjectChanged:
    return msgspec.json.decode(payload, type=ObjectChanged)


def test_a_row_that_is_too_big_is_cut_and_compared_all_the_same() -> None:
    many = {f"p{number}": number for number in range(500)}
    account = _state([_applied()], strategy={"name": "mine", "parameters": many})
    row = build_change(BEFORE, account)
    assert row is not None
    assert _decode(encode(row, 10**6)) == row
    cut = _decode(encode(row, len(msgspec.json.encode(row)) - 1))
    assert (cut.cut, cut.object, cut.changes[0].old) == (True, omit(row.object), None)
    assert [change.path for change in cut.changes] == [change.path for change in row.changes]
    least = _decode(encode(row, 1_000))
    assert (least.cut, least.changes, least.generation) == (True, (), row.generation)
    assert restate(least).cut

    assert build_change(least, account) is None, "it is recognised"
    after = build_change(least, _state([_applied()], generation=5))
    assert after is not None
    assert (after.baseless, after.previous_generation) == (True, 4)


def _seen(cache: Cache, *, version: int, **spec: Any) -> None:
    account = _state([_applied()], generation=version, **spec)
    cache.observe(account)


def test_states_between_two_looks_are_kept_and_repetitions_are_not() -> None:
    cache = Cache("smarttrade")
    for version, replicas in enumerate((1, 1, 2, 3, 3, 1), 1):
        _seen(cache, version=version, replicas=replicas)
    states = cache.get(ALICE).states
    assert [state["spec"]["replicas"] for state in states] == [1, 2, 3, 1]
    versions = [state["metadata"]["resourceVersion"] for state in states]
    assert versions == ["11", "13", "14", "16"], "of the write that made it so, which an audit log has too"


def test_a_flood_of_edits_leaves_the_oldest_and_the_newest_states() -> None:
    cache = Cache("smarttrade")
    for version in range(1, 100):
        _seen(cache, version=version, replicas=version)
    states = [state["spec"]["replicas"] for state in cache.get(ALICE).states]
    assert states == [1, *range(69, 100)]


def test_a_deleted_object_leaves_no_states_to_its_successor() -> None:
    cache = Cache("smarttrade")
    account = _state([_applied()])
    child = {
        "kind": "Pod",
        "metadata": {
            "name": "a",
            "namespace": "alice",
            "resourceVersion": "1",
            "labels": {"smarttrade.io/account": "alice"},
        },
    }
    cache.observe(child)
    cache.observe(account)
    cache.observe(account, deleted=True)
    assert cache.get(ALICE).states == []

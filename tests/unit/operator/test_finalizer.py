"""Which stage of a deletion is next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from smarttrade.api import DeletionPolicy
from smarttrade.messages import Check
from smarttrade_operator.finalizer import (
    Deletion,
    Stage,
    build_finalizer_patch,
    deletion_age_s,
    has_finalizer,
)
from smarttrade_operator.reports import PodVoice, Voices
from tests.component.operator.pods import build_execution_report, holding

WORKING = Check(type="Settled", ok=False, reason="Working", message="2 orders to go")
DONE = Check(type="Settled", ok=True, reason="Done")


def _deletion(policy: DeletionPolicy = DeletionPolicy.CANCEL_ORDERS, **fields: Any) -> Deletion:
    report = fields.pop("report", {})
    voice = PodVoice("p", build_execution_report("p", fields.pop("reported", 5), **report))
    values = {
        "timeout_s": 60.0,
        "age_s": 1.0,
        "ever_reported": True,
        "stopped": False,
        "voices": Voices((voice,)),
    }
    return Deletion(policy=policy, generation=5, **(values | fields))


HOLDING = {"positions": [holding("1")]}
OPEN = {"open_orders": 1}
UNKNOWN = {"unknown_orders": 1}
FLATTEN = DeletionPolicy.FLATTEN

CASES: list[tuple[str, Deletion, Stage]] = [
    ("nothing open", _deletion(), Stage.STOP_PODS),
    ("an open order", _deletion(report=OPEN), Stage.SETTLE),
    ("an order of unknown fate", _deletion(report=UNKNOWN), Stage.SETTLE),
    ("not yet read", _deletion(reported=4), Stage.SETTLE),
    ("a position is kept", _deletion(report=HOLDING), Stage.STOP_PODS),
    ("flatten with a position", _deletion(FLATTEN, report=HOLDING), Stage.SETTLE),
    ("flatten without", _deletion(FLATTEN), Stage.STOP_PODS),
    ("retain with orders", _deletion(DeletionPolicy.RETAIN, report=OPEN), Stage.STOP_PODS),
    ("the leader says not yet", _deletion(report={"checks": [WORKING]}), Stage.SETTLE),
    ("dust, soon", _deletion(FLATTEN, report=HOLDING | {"checks": [DONE]}), Stage.SETTLE),
    ("dust, later", _deletion(FLATTEN, report=HOLDING | {"checks": [DONE]}, age_s=31), Stage.STOP_PODS),
    ("too late", _deletion(report=OPEN, age_s=60), Stage.STOP_PODS),
    ("nobody answers", _deletion(voices=Voices()), Stage.SETTLE),
    ("never ran", _deletion(voices=Voices(), ever_reported=False), Stage.STOP_PODS),
    ("stopped", _deletion(stopped=True), Stage.REMOVE_ACCOUNTS),
    ("pods that do not go", _deletion(report=OPEN, age_s=121), Stage.REMOVE_ACCOUNTS),
]


@pytest.mark.parametrize(("deletion", "stage"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_stage(deletion: Deletion, stage: Stage) -> None:
    assert deletion.stage is stage


def test_what_is_left_is_named() -> None:
    assert _deletion(report=OPEN).left == "1 open and 0 unknown orders"
    assert _deletion(FLATTEN, report=HOLDING).left == "positions in BTC/USDT"
    assert _deletion(report={"checks": [WORKING]}).left == "2 orders to go"


def test_nothing_holds_the_object_for_ever() -> None:
    assert not _deletion(age_s=179).overdue
    assert _deletion(age_s=180).overdue


def test_other_finalizers_are_left_alone() -> None:
    account = {"metadata": {"finalizers": ["theirs"], "resourceVersion": "7"}}
    added = build_finalizer_patch(account, present=True)
    assert added == {"metadata": {"finalizers": ["theirs", "smarttrade.io/settle"], "resourceVersion": "7"}}
    assert has_finalizer(added)
    removed = build_finalizer_patch({"metadata": added["metadata"]}, present=False)
    assert removed["metadata"]["finalizers"] == ["theirs"]


def test_age_counts_from_the_deletion() -> None:
    account = {"metadata": {"deletionTimestamp": "2026-05-01T00:00:00Z"}}
    assert deletion_age_s(account, datetime(2026, 5, 1, 0, 0, 9, tzinfo=UTC)) == 9

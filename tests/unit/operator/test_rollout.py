"""A new runtime image goes to a few accounts at a time and stops when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from smarttrade_operator.names import Key
from smarttrade_operator.rollout import AT_ONCE, FAILURES_BEFORE_STOP, Rollouts, RolloutStopped

KEYS = [Key("ns", f"account-{number}") for number in range(10)]


def _deployment(image: str, *, ready: int = 2, failed: bool = False) -> dict[str, Any]:
    conditions = [{"type": "Progressing", "status": "False" if failed else "True"}]
    counts = {"updatedReplicas": 2, "readyReplicas": ready, "replicas": 2, "observedGeneration": 1}
    return {
        "metadata": {"generation": 1},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": counts | {"conditions": conditions},
    }


NEW, OLD = _deployment("new"), _deployment("old")


def test_only_a_few_accounts_roll_at_once() -> None:
    rollouts = Rollouts()
    assert sum(rollouts.admit(key, NEW, OLD) for key in KEYS) == AT_ONCE
    assert rollouts.admit(KEYS[0], NEW, OLD), "one that rolls already may go on"


def test_the_next_follows_when_one_is_complete() -> None:
    rollouts = Rollouts()
    admitted = [key for key in KEYS if rollouts.admit(key, NEW, OLD)]
    assert rollouts.admit(admitted[0], NEW, _deployment("new", ready=1))
    assert not rollouts.admit(KEYS[-1], NEW, OLD)
    rollouts.admit(admitted[0], NEW, NEW)
    assert rollouts.admit(KEYS[-1], NEW, OLD)


def test_what_is_no_rollout_is_never_held_up() -> None:
    rollouts = Rollouts()
    for key in KEYS:
        rollouts.admit(key, NEW, OLD)
    assert rollouts.admit(Key("ns", "new-account"), NEW, None)
    assert rollouts.admit(KEYS[-1], OLD, OLD)


def test_an_image_that_fails_stops_and_names_where() -> None:
    rollouts = Rollouts()
    for key in KEYS[:FAILURES_BEFORE_STOP]:
        assert rollouts.admit(key, NEW, OLD)
        rollouts.admit(key, NEW, _deployment("new", ready=0, failed=True))
    with pytest.raises(RolloutStopped, match="ns/account-0, ns/account-1, ns/account-2"):
        rollouts.admit(KEYS[9], NEW, OLD)
    assert rollouts.admit(KEYS[9], _deployment("newer"), OLD), "another image may be tried"


def test_an_account_that_recovers_or_goes_no_longer_counts() -> None:
    rollouts = Rollouts()
    for key in KEYS[:FAILURES_BEFORE_STOP]:
        rollouts.admit(key, NEW, OLD)
        rollouts.admit(key, NEW, _deployment("new", ready=0, failed=True))
    rollouts.admit(KEYS[0], NEW, NEW)
    assert rollouts.admit(KEYS[9], NEW, OLD)
    rollouts.forget(KEYS[1])
    assert rollouts.admit(KEYS[8], NEW, OLD)


def test_an_account_that_was_broken_before_does_not_stop_others() -> None:
    rollouts = Rollouts()
    for key in KEYS[:5]:
        rollouts.admit(key, NEW, _deployment("new", ready=0, failed=True))
    assert rollouts.admit(KEYS[9], NEW, OLD)

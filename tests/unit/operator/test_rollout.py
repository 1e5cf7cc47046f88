"""A new runtime image goes to a few accounts at a time and stops when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from smarttrade_operator.names import Key
from smarttrade_operator.rollout import AT_ONCE, FAILURES_BEFORE_STOP, Rollouts, RolloutStopped

KEYS = [Key(f"ns-{number}", "account") for number in range(10)]


def _deployment(image: str, *, ready: int = 2, failed: bool = False) -> dict[str, Any]:
    containers = [{"name": name, "image": image} for name in ("evaluation", "execution")]
    conditions = [{"type": "Progressing", "status": "False" if failed else "True"}]
    counts = {"updatedReplicas": 2, "readyReplicas": ready, "replicas": 2, "observedGeneration": 1}
    return {
        "metadata": {"generation": 1},
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
        "status": counts | {"conditions": conditions},
    }


def _rollouts(namespaces: int = 10) -> Rollouts:
    return Rollouts(lambda: namespaces)


def _admit(
    rollouts: Rollouts, key: Key, desired: dict[str, Any], live: dict[str, Any] | None, generation: int = 1
) -> bool:
    return rollouts.admit(key, generation, desired, live)


NEW, OLD = _deployment("new"), _deployment("old")


def test_only_a_few_accounts_roll_at_once() -> None:
    rollouts = _rollouts()
    assert sum(_admit(rollouts, key, NEW, OLD) for key in KEYS) == AT_ONCE
    assert _admit(rollouts, KEYS[0], NEW, OLD), "one that rolls already may go on"


def test_the_next_follows_when_one_is_complete() -> None:
    rollouts = _rollouts()
    admitted = [key for key in KEYS if _admit(rollouts, key, NEW, OLD)]
    assert _admit(rollouts, admitted[0], NEW, _deployment("new", ready=1))
    assert not _admit(rollouts, KEYS[-1], NEW, OLD)
    _admit(rollouts, admitted[0], NEW, NEW)
    assert _admit(rollouts, KEYS[-1], NEW, OLD)


def test_an_account_whose_strategy_has_an_image_of_its_own_waits_its_turn_too() -> None:
    def with_own_image(image: str) -> dict[str, Any]:
        deployment = _deployment(image)
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "mine"
        return deployment

    rollouts = _rollouts()
    admitted = [_admit(rollouts, key, with_own_image("new"), with_own_image("old")) for key in KEYS]
    assert sum(admitted) == AT_ONCE
    assert _admit(rollouts, KEYS[-1], with_own_image("old"), OLD), "the strategy's image is its user's matter"


def test_what_is_no_rollout_is_never_held_up() -> None:
    rollouts = _rollouts()
    for key in KEYS:
        _admit(rollouts, key, NEW, OLD)
    assert _admit(rollouts, Key("ns-0", "new-account"), NEW, None)
    assert _admit(rollouts, KEYS[-1], OLD, OLD)


def test_an_image_that_fails_stops_and_names_where() -> None:
    rollouts = _rollouts()
    for key in KEYS[:FAILURES_BEFORE_STOP]:
        assert _admit(rollouts, key, NEW, OLD)
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True))
    with pytest.raises(RolloutStopped, match="ns-0/account, ns-1/account, ns-2/account"):
        _admit(rollouts, KEYS[9], NEW, OLD)
    assert _admit(rollouts, KEYS[9], _deployment("newer"), OLD), "another image may be tried"


def test_an_account_that_recovers_or_goes_no_longer_counts() -> None:
    rollouts = _rollouts()
    for key in KEYS[:FAILURES_BEFORE_STOP]:
        _admit(rollouts, key, NEW, OLD)
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True))
    _admit(rollouts, KEYS[0], NEW, NEW)
    assert _admit(rollouts, KEYS[9], NEW, OLD)
    rollouts.forget(KEYS[1])
    assert _admit(rollouts, KEYS[8], NEW, OLD)


def test_an_account_that_was_broken_before_does_not_stop_others() -> None:
    rollouts = _rollouts()
    for key in KEYS[:5]:
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True))
    assert _admit(rollouts, KEYS[9], NEW, OLD)


def test_one_tenants_failing_accounts_do_not_keep_the_others_from_a_new_image() -> None:
    rollouts = _rollouts()
    for key in (Key("mallory", f"account-{number}") for number in range(FAILURES_BEFORE_STOP + 2)):
        _admit(rollouts, key, NEW, OLD)
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True))
    assert _admit(rollouts, KEYS[0], NEW, OLD)


def test_where_there_is_one_namespace_its_failures_stop_the_image() -> None:
    rollouts = _rollouts(namespaces=1)
    for key in (Key("trading", f"account-{number}") for number in range(FAILURES_BEFORE_STOP)):
        _admit(rollouts, key, NEW, OLD)
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True))
    with pytest.raises(RolloutStopped):
        _admit(rollouts, Key("trading", "another"), NEW, OLD)


def test_an_image_that_works_in_more_namespaces_than_it_fails_in_goes_on() -> None:
    rollouts = _rollouts()
    for key in KEYS[: FAILURES_BEFORE_STOP + 1]:
        _admit(rollouts, key, NEW, OLD)
        _admit(rollouts, key, NEW, NEW)
    for key in KEYS[FAILURES_BEFORE_STOP + 1 : 2 * FAILURES_BEFORE_STOP + 1]:
        _admit(rollouts, key, NEW, OLD)
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True))
    assert _admit(rollouts, KEYS[9], NEW, OLD)


@pytest.mark.parametrize(
    ("before", "generation"), [(_deployment("old", ready=0), 1), (OLD, 2)], ids=["broken before", "changed"]
)
def test_an_account_that_fails_for_reasons_of_its_own_says_nothing_of_the_image(
    before: dict[str, Any], generation: int
) -> None:
    rollouts = _rollouts()
    for key in KEYS[:FAILURES_BEFORE_STOP]:
        _admit(rollouts, key, NEW, before)
        _admit(rollouts, key, NEW, _deployment("new", ready=0, failed=True), generation)
    assert _admit(rollouts, KEYS[9], NEW, OLD)


def test_a_hand_edit_is_put_back_while_a_rollout_is_stopped() -> None:
    rollouts = _rollouts()
    for key in KEYS[:AT_ONCE]:
        _admit(rollouts, key, NEW, OLD)
    sidecar, edited = _deployment("new"), _deployment("new")
    sidecar["spec"]["template"]["spec"]["containers"].append({"name": "miner", "image": "miner"})
    edited["spec"]["template"]["spec"]["containers"][0]["image"] = "miner"
    assert _admit(rollouts, KEYS[9], NEW, sidecar)
    assert _admit(rollouts, KEYS[9], NEW, edited)

"""The bound on a victim's latency: stalls of the machine pass, an attack that slows it does not."""

import pytest

from tests.attacks.latency import judge_latency

USUAL = [0.002, 0.003, 0.002]


@pytest.mark.parametrize(
    "during",
    [[0.003, 0.002, 0.004], [0.002, 9.0, 0.003, 0.002], [0.057, 0.057, 0.057]],
    ids=["as before", "one stall", "within the floor"],
)
def test_a_victim_that_is_as_quick_as_before_passes(during: list[float]) -> None:
    judge_latency(USUAL, during)


@pytest.mark.parametrize("during", [[0.06, 0.07, 0.002], [9.0, 9.0]], ids=["most rounds", "all rounds"])
def test_a_victim_that_became_slow_is_noticed(during: list[float]) -> None:
    with pytest.raises(AssertionError, match="the victim got slower"):
        judge_latency(USUAL, during)


def test_a_busy_machine_is_in_both() -> None:
    judge_latency([0.5, 0.6, 0.4], [1.9, 2.0, 1.8])

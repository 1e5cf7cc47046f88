"""A standby counts what the leader decided and it did not."""

from smarttrade.evaluation.divergence import Divergence
from smarttrade.messages import DecisionOutcome, Outcome
from tests.unit.evaluation.strategies import candle, core


def outcome(id_: str, time_ms: int = 0) -> DecisionOutcome:
    return DecisionOutcome(id=id_, market="BTC/USDT", outcome=Outcome.REACHED, time_ms=time_ms)


def test_agreement_counts_nothing() -> None:
    made = Divergence()
    [decision] = core().on_event(candle(1))
    made.decided(decision)
    made.outcome(outcome(decision.id))
    made.judge(60_000)
    assert made.count == 0


def test_a_decision_of_the_leader_alone_counts_once_it_had_time() -> None:
    made = Divergence()
    made.decided(core().on_event(candle(1))[0])
    made.outcome(outcome("another", 10_000))
    made.judge(12_000)
    assert made.count == 0
    made.judge(16_000)
    made.judge(17_000)
    assert made.count == 1


def test_before_its_first_own_decision_it_compares_nothing() -> None:
    made = Divergence()
    made.outcome(outcome("another", 0))
    made.judge(60_000)
    assert made.count == 0

"""A fixed set of malformed input for every consumer; `make fuzz` gives them a million."""

import pytest

from smarttrade.execution import decisions
from tests.attacks.consumers import CONSUMERS
from tests.attacks.fuzz import Consumer, CrashError, run

SEED, EACH = 7, 400


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.name)
def test_whatever_is_sent_is_taken_or_refused(consumer: Consumer) -> None:
    [(taken, refused)] = run([consumer], EACH, SEED).values()
    assert taken + refused == EACH
    assert taken > 0


def test_without_its_guard_execution_would_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "implausible", lambda decision: None)
    [consumer] = [consumer for consumer in CONSUMERS if consumer.name == "decision"]
    with pytest.raises(CrashError, match=r"InvalidOperation|Overflow"):
        run([consumer], EACH * 4, SEED)


def test_a_consumer_that_raises_something_else_is_found() -> None:
    def take(payload: bytes) -> None:
        raise KeyError(payload[:1])

    with pytest.raises(CrashError, match="fragile, input 0: KeyError"):
        run([Consumer("fragile", (b"{}",), take, (ValueError,))], 1, SEED)

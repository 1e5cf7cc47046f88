"""A decision that cannot be meant is denied before anything is done with it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.execution import effects as fx
from smarttrade.execution.plausibility import implausible
from smarttrade.messages import Answer, Decision, RestingOrder, RestingOrders, Side, Target
from tests.unit.execution.desk import Desk

FAR_MS = 1_900_000_000_000


def target(**changes: Any) -> Decision:
    want = {"quantity": Decimal("0.1"), "valid_until_ms": FAR_MS, **changes}
    return Desk().decision(Target(**want))


def changed(**changes: Any) -> Decision:
    return msgspec.structs.replace(target(), **changes)


def resting(count: int = 1, **changes: Any) -> Decision:
    order = {"key": "a", "side": Side.BUY, "price": Decimal(99), "quantity": Decimal("0.1"), **changes}
    return Desk().decision(RestingOrders(orders=[RestingOrder(**order)] * count, valid_until_ms=FAR_MS))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (target(quantity=Decimal("NaN")), "quantity is NaN: use 0, or from"),
        (target(quantity=Decimal("1e999999")), "quantity is 1E+999999"),
        (target(limit=Decimal("Infinity")), "limit is Infinity"),
        (target(stop_loss=Decimal("1e-300")), "stop_loss is 1E-300"),
        (target(trailing_stop=Decimal("sNaN")), "trailing_stop is sNaN"),
        (target(valid_until_ms=2**62), "valid_until_ms is 4611686018427387904: use 0 to 2^53"),
        (resting(price=Decimal("-Infinity")), "price of a is -Infinity"),
        (resting(key="k" * 300), "the key of an order has 300 characters"),
        (resting(count=201), "201 resting orders: use at most 200"),
        (changed(event_time_ms=-1), "event_time_ms is -1"),
        (changed(reason="x" * 60_000), "reason has 60000 characters"),
        (
            changed(strategy="smarttrade/flatten"),
            "strategy 'smarttrade/flatten' is a name of execution's own",
        ),
    ],
)
def test_what_cannot_be_meant_is_denied_and_leaves_no_trace(decision: Decision, said: str) -> None:
    desk = Desk().lead()
    before = len(desk.log)
    desk.feed(fx.DecisionReceived(decision=decision, token=5))
    [reply] = [effect.reply for effect in desk.take(fx.Reply) if effect.token == 5]
    assert (reply.answer, reply.code) == (Answer.DENIED, "Malformed")
    assert said in reply.message
    assert len(desk.log) == before


@pytest.mark.parametrize(
    "decision",
    [
        target(),
        target(quantity=Decimal(0), limit=Decimal(1) / 3),
        target(quantity=Decimal("-0.5"), stop_loss=Decimal("0.00000001")),
        target(quantity=Decimal("999999999999999")),
        resting(count=200),
    ],
)
def test_whatever_could_be_meant_is_left_to_the_limits(decision: Decision) -> None:
    assert implausible(decision) is None

"""What of a decision cannot be meant, judged before anything is done with it.

A decision comes from code that nobody has vouched for. The wire format lets `NaN` and numbers of a million
digits through, with which arithmetic raises instead of answering: such a decision would end execution, and
end it again whenever the strategy repeats it, while what is held has no protector. And a decision must not
call itself by the names under which execution trades by itself, for those obey other rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from smarttrade.messages import MEMORY_LIMIT, ORDERS_LIMIT, TEXT_LIMIT, Decision, Target

OWN_STRATEGIES = "smarttrade/"
_LEAST, _LARGEST = Decimal("1e-15"), Decimal("1e15")
# Arithmetic keeps 28 digits; a quotient of its own has that many decimals.
_DECIMALS = 64
_LARGEST_INTEGER = 2**53


def implausible(decision: Decision) -> str | None:
    """What is wrong with it, with the value; None if nothing is."""
    if decision.strategy.startswith(OWN_STRATEGIES):
        return f"strategy {decision.strategy[:TEXT_LIMIT]!r} is a name of execution's own"
    for name, text in _texts(decision):
        if len(text) > TEXT_LIMIT:
            return f"{name} has {len(text)} characters: use at most {TEXT_LIMIT}"
    if len(decision.memory) > MEMORY_LIMIT:
        return f"memory has {len(decision.memory)} characters: use at most {MEMORY_LIMIT}"
    for name, integer in _integers(decision):
        if not 0 <= integer <= _LARGEST_INTEGER:
            return f"{name} is {integer}: use 0 to 2^53"
    if not isinstance(decision.want, Target) and len(decision.want.orders) > ORDERS_LIMIT:
        return f"{len(decision.want.orders)} resting orders: use at most {ORDERS_LIMIT}"
    for name, number in _numbers(decision):
        if not _is_usable(number):
            return f"{name} is {str(number)[:40]}: use 0, or from {_LEAST} to {_LARGEST}"
    return None


def _texts(decision: Decision) -> Iterator[tuple[str, str]]:
    for name in ("id", "strategy", "version", "market", "event_key", "reason"):
        yield name, getattr(decision, name)
    if not isinstance(decision.want, Target):
        for order in decision.want.orders:
            yield "the key of an order", order.key


def _integers(decision: Decision) -> Iterator[tuple[str, int]]:
    for name in ("event_time_ms", "event_ordinal", "index", "generation"):
        yield name, getattr(decision, name)
    yield "valid_until_ms", decision.want.valid_until_ms


def _numbers(decision: Decision) -> Iterator[tuple[str, Decimal]]:
    want = decision.want
    if isinstance(want, Target):
        yield "quantity", want.quantity
        for name in ("limit", "stop_loss", "take_profit", "trailing_stop"):
            number = getattr(want, name)
            if number is not None:
                yield name, number
        return
    for order in want.orders:
        yield f"price of {order.key}", order.price
        yield f"quantity of {order.key}", order.quantity


def _is_usable(number: Decimal) -> bool:
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    is_short = isinstance(exponent, int) and abs(exponent) <= _DECIMALS
    return is_short and (number == 0 or _LEAST <= abs(number) <= _LARGEST)

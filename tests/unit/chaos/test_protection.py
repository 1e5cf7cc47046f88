"""What the judge of chaos runs says of protection: honest runs pass, and whatever is promised and lacking is
found."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.execution.records import DecisionAccepted, OrderIntended
from smarttrade.messages import Check, EffectiveState, ExecutionReport, Side
from smarttrade.simulator.journal import JournalEntry
from tests.chaos.evidence import Told
from tests.chaos.protection import TOLD_AFTER_MS
from tests.chaos.schedule import STEP_MS
from tests.simulation.checks import ViolationError
from tests.simulation.plan import MARKETS
from tests.unit.chaos.doctored import (
    NOW,
    Run,
    build_decision,
    build_entry,
    build_intent,
    build_move,
    build_outcome,
)

MARKET = MARKETS[0]
STOP, LIMIT, PROFIT = Decimal(97), Decimal("96.51"), Decimal(104)
COMPARED = Check(type="CredentialsValid", ok=True, reason="Accepted")
LONG_MS = TOLD_AFTER_MS + STEP_MS + 1


class Guarded(Run):
    """The newest position is protected by a pair; `guard` is what rests, by its order id."""

    def __init__(self, **guard: Decimal) -> None:
        super().__init__()
        asked = guard or {"stop_loss": STOP, "take_profit": PROFIT}
        decision = build_decision(3, MARKET, quantity=4, **asked)
        self.trade(decision, 3)

    def protect(self, number: int, quantity: str = "4", **doctored: Any) -> JournalEntry:
        """Let a stop rest, or with `trigger=None` a profit."""
        stop = doctored.get("trigger", STOP) is not None
        fields = {
            "side": Side.SELL,
            "kind": OrderKind.STOP_LIMIT if stop else OrderKind.LIMIT,
            "purpose": Purpose.PROTECTIVE,
            "price": LIMIT if stop else PROFIT,
            "quantity": Decimal(quantity),
            "trigger": STOP,
            "group": "pair",
        } | doctored
        intent = msgspec.structs.replace(build_intent(number, MARKET, "d3"), **fields)
        self.log(intent)
        new = build_stop(number, intent)
        self.happen(new)
        self.log(build_move(intent.cid, number, OrderState.NEW))
        return new

    def pair(self, quantity: str = "4") -> JournalEntry:
        """Its profit; the stop is the order before it."""
        self.protect(4, quantity)
        return self.protect(5, quantity, trigger=None)

    def tell(self, *more: Check, after_ms: float = 0.0, epoch: int = 1) -> None:
        """The leader reports."""
        self.now_ms += after_ms
        report = ExecutionReport(
            pod="a",
            generation=1,
            leading=True,
            epoch=epoch,
            effective_state=EffectiveState.ACTIVE,
            equity=None,
            realized_pnl=None,
            unrealized_pnl=None,
            open_orders=0,
            unknown_orders=0,
            fills=0,
            positions=[],
            checks=[*(more or (COMPARED,))],
            as_of_ms=int(self.now_ms),
        )
        self.evidence.told.append(Told(report, self.now_ms))


def build_stop(number: int, intent: OrderIntended) -> JournalEntry:
    return msgspec.structs.replace(
        build_entry(number, intent.market, intent.cid),
        side=str(intent.side).upper(),
        price=str(intent.price),
        quantity=str(intent.quantity),
        stop_price=str(intent.trigger or 0),
    )


def unprotected(market: str) -> Check:
    message = f"4 of {market} since 2026-11-30T00:00:00Z (Placing)"
    return Check(type="Unprotected", ok=True, reason="Placing", message=message)


def test_a_protected_run_passes_and_is_counted() -> None:
    run = Guarded()
    run.tell()
    run.pair()
    run.tell(after_ms=LONG_MS)
    seen = run.judge()
    assert (seen["protected position"], seen["leader's word on protection"], seen["rest"]) == (1, 2, 1)


def test_what_is_told_is_no_lie() -> None:
    run = Guarded()
    run.tell()
    run.tell(COMPARED, unprotected(MARKET), after_ms=LONG_MS)
    run.pair()
    assert run.judge()["told Unprotected"] == 1


def test_who_has_not_compared_its_log_yet_and_who_was_deposed_is_not_held_to_its_word() -> None:
    run = Guarded()
    run.tell()
    run.tell(Check(type="CredentialsValid", ok=False, reason="NotYetUsed"), after_ms=LONG_MS)
    run.tell(epoch=0)
    run.pair()
    run.judge()


def test_a_leader_that_calls_a_bare_position_protected_is_found() -> None:
    run = Guarded()
    run.tell()
    run.tell(COMPARED, unprotected(MARKETS[1]), after_ms=LONG_MS)
    run.pair()
    with pytest.raises(ViolationError, match="what is not protected is told"):
        run.judge()


def test_a_stop_that_is_too_small_protects_nothing_more_than_its_size() -> None:
    run = Guarded()
    run.pair("2")
    run.tell()
    run.tell(after_ms=LONG_MS)
    run.log()
    with pytest.raises(ViolationError, match="what is not protected is told"):
        run.judge()


def test_a_trailing_stop_may_be_behind_by_a_tenth_of_its_distance() -> None:
    run = Guarded(trailing_stop=Decimal("0.03"))
    run.protect(4, trigger=Decimal("96.70"), price=Decimal("96.21"), group="")
    run.judge()


def trailing_too_far_behind(run: Guarded) -> None:
    run.protect(4, trigger=Decimal("96.50"), price=Decimal("96.01"), group="")


def nothing_rests(run: Guarded) -> None:
    pass


def only_the_stop(run: Guarded) -> None:
    run.protect(4)


def only_the_profit(run: Guarded) -> None:
    run.protect(5, trigger=None)


def half_of_it(run: Guarded) -> None:
    run.pair("2")


def not_paired(run: Guarded) -> None:
    run.protect(4, "2", group="")
    run.protect(5, "2", trigger=None, group="")


def buys(run: Guarded) -> None:
    run.protect(4, side=Side.BUY, group="")


def waits_elsewhere(run: Guarded) -> None:
    run.protect(4, trigger=Decimal(90), price=Decimal("89.55"))
    run.protect(5, trigger=None)


def sells_too_low(run: Guarded) -> None:
    run.protect(4, price=Decimal(90))
    run.protect(5, trigger=None)


def takes_profit_elsewhere(run: Guarded) -> None:
    run.protect(4)
    run.protect(5, trigger=None, price=Decimal(110))


def more_than_is_held(run: Guarded) -> None:
    run.protect(4, "5")
    run.protect(5, "5", trigger=None)


def told_of_another_trigger(run: Guarded) -> None:
    run.pair()
    run.change(-2, stop_price="90")


def left_behind(run: Guarded) -> None:
    """The decision without protection is carried out, and the stop stays."""
    run.pair()
    later = build_decision(6, MARKET, quantity=4)
    run.evidence.decisions[later.id] = later
    run.log(DecisionAccepted(decision=later, time_ms=NOW), build_outcome(later))


def both_of_a_pair_fill(run: Guarded) -> None:
    """Most of each, although the first to fill ends the other: a trigger that fired is one exit."""
    profit = run.pair()
    stop = run.evidence.journal[-2].entry
    most = {"kind": "TRADE", "status": "PARTIALLY_FILLED", "last_quantity": "3", "time_ms": NOW + 8}
    for number, each in enumerate((stop, profit), 8):
        run.happen(msgspec.structs.replace(each, trade_id=number, last_price=each.price, **most))


LIES: dict[Callable[[Guarded], None], tuple[dict[str, Decimal], str]] = {
    nothing_rests: ({}, "a position is protected as it was asked for"),
    only_the_stop: ({}, "a position is protected as it was asked for"),
    only_the_profit: ({}, "a position is protected as it was asked for"),
    half_of_it: ({}, "a position is protected as it was asked for"),
    buys: ({"stop_loss": STOP}, "what protects sells"),
    waits_elsewhere: ({}, "a stop waits for its price"),
    trailing_too_far_behind: ({"trailing_stop": Decimal("0.03")}, "a stop waits for its price"),
    sells_too_low: ({}, "a stop sells within its slippage"),
    takes_profit_elsewhere: ({}, "a profit is taken at its price"),
    more_than_is_held: ({}, "working sells never exceed the position"),
    told_of_another_trigger: ({}, "an order is placed as it was intended"),
    left_behind: ({}, "no protective order is left behind"),
    both_of_a_pair_fill: ({}, "a pair sells once"),
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_found(lie: Callable[[Guarded], None]) -> None:
    guard, invariant = LIES[lie]
    run = Guarded(**guard)
    lie(run)
    with pytest.raises(ViolationError, match=invariant):
        run.judge()


def test_stop_and_profit_that_do_not_cancel_one_another_are_found() -> None:
    """Both of full size lock twice what is held; so each has half of it here, and neither is whole."""
    run = Guarded()
    not_paired(run)
    with pytest.raises(ViolationError):
        run.judge()

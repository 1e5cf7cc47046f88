"""What happens in one history, drawn from its seed: decisions, changes of state, faults, the world's moods.

A plan is plain data, so that a violating one can be shrunk: whatever can be left out without losing the
violation is left out. Times are ms since the history began.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

MARKETS = ("BTC/USDT", "ETH/USDT")
PRICE = {"BTC/USDT": 100, "ETH/USDT": 10}
HORIZON_MS = 16_000


class Wish(msgspec.Struct, frozen=True):
    """One decision of the strategy: a target in hundredths of a coin's worth of 100, or a resting set."""

    at_ms: int
    market: str
    hundredths: int
    style: str = "Marketable"
    valid_ms: int = 60_000
    keys: tuple[tuple[str, str, int, int], ...] = ()
    """Resting set: (key, side, price offset in hundredths of a per cent, hundredths)."""
    guard: tuple[int, int, int] = (0, 0, 0)
    """Stop below, profit above and trailing distance in per cent; 0 is none."""


class Fault(msgspec.Struct, frozen=True):
    """Strikes at `at_ms`, or where `effect` is named, when a pod performs the `nth` such effect."""

    kind: str
    pod: int = 0
    at_ms: int = 0
    for_ms: int = 0
    effect: str = ""
    nth: int = 0
    amount: int = 0


class Change(msgspec.Struct, frozen=True):
    """The specification's state from a time on."""

    at_ms: int
    state: str
    kill: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    wishes: tuple[Wish, ...]
    faults: tuple[Fault, ...]
    changes: tuple[Change, ...] = ()
    pods: int = 2
    hold_ms: int = 2_500
    snapshot_every: int = 25
    partial: float = 0.25
    passive_timeout_ms: int = 0
    stream_loss: float = 0.05
    processing_ms: int = 0
    ending: str = "Active"
    stops: bool = True
    pairs: bool = True
    default_guard: tuple[int, int, int] = (0, 0, 0)
    daily_loss: str = "4000"
    older: tuple[int, ...] = ()
    """Pods that run the version before this one."""
    forgets_after_ms: int = 0
    """For how long the exchange knows an order that ended without a fill; 0: for ever."""
    amends: bool = True


STEP_MS = 4_000
LOST = (0, 0, 1, 4, 20)
GUARDS = ((5, 0, 0), (5, 5, 0), (0, 5, 0), (0, 0, 3), (8, 4, 5))
TIMED = (
    "crash",
    "pause",
    "suspend",
    "cut-bus",
    "cut-exchange",
    "bus-down",
    "maintenance",
    "drain",
    "unhealthy",
    "step-clock",
    "replay",
    "forget-lease",
    "lose-log",
)
STRUCK = (
    "crash-before",
    "crash-after",
    "pause-before",
    "pause-in-send",
    "lose-request",
    "lose-reply",
    "slow-request",
    "lose-log",
)
EFFECTS = ("Append", "Send", "Query", "Cancel", "Amend", "ReadAccount", "SaveSnapshot")


def build_plan(seed: int) -> Plan:
    """The whole plan of a seed. The version before this one does not survive the loss of its log."""
    draw = random.Random(seed)
    wishes = _lowered(seed, _wishes(draw))
    faults = tuple(_fault(draw) for _ in range(draw.randint(4, 10)))
    faults += _stepped(seed)
    loses = any(fault.kind == "lose-log" for fault in faults)
    older = (0,) if draw.random() < 0.25 and not loses else ()
    return Plan(
        seed=seed,
        wishes=wishes,
        faults=faults,
        changes=_changes(draw),
        pods=draw.choice((2, 2, 2, 3, 1)),
        hold_ms=draw.choice((2_500, 2_500, 2_500, 4_000)),
        snapshot_every=draw.choice((8, 25, 25, 1_000)),
        partial=draw.choice((0.0, 0.2, 0.5)),
        passive_timeout_ms=draw.choice((0, 700)),
        stream_loss=draw.choice((0.0, 0.05, 0.5, 1.0)),
        processing_ms=draw.choice((0, 0, 900)),
        ending=draw.choice(("Active", "Active", "Active", "Active", "Halted", "Flatten", "Paused")),
        stops=draw.random() < 0.9,
        pairs=draw.random() < 0.8,
        default_guard=draw.choice(((0, 0, 0), (0, 0, 0), (0, 0, 0), (6, 0, 0), (0, 9, 4), (7, 8, 0))),
        daily_loss=draw.choice(("4000", "4000", "2")),
        older=older,
        forgets_after_ms=random.Random(seed * 31 + 5).choice((0, 0, 1_000)),
        amends=random.Random(seed * 31 + 7).random() < 0.8,
    )


def _wishes(draw: random.Random) -> tuple[Wish, ...]:
    times = sorted(draw.randint(300, HORIZON_MS) for _ in range(draw.randint(24, 32)))
    return tuple(_wish(draw, at) for at in times)


def _lowered(seed: int, wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """Some resting sets are wanted smaller a moment later, at the same prices."""
    draw = random.Random(seed * 31 + 11)
    smaller = [
        msgspec.structs.replace(
            wish,
            at_ms=min(wish.at_ms + draw.choice((200, 700, 1_400)), HORIZON_MS),
            valid_ms=60_000,
            keys=tuple((key, side, offset, 10) for key, side, offset, _ in wish.keys),
        )
        for wish in wishes
        if wish.keys and draw.random() < 0.5
    ]
    return tuple(sorted((*wishes, *smaller), key=lambda wish: wish.at_ms))


def _wish(draw: random.Random, at_ms: int) -> Wish:
    market = draw.choice((MARKETS[0], MARKETS[0], MARKETS[1]))
    if draw.random() < 0.2:
        return Wish(at_ms, market, 0, "Resting", draw.choice((1_500, 60_000)), _keys(draw))
    hundredths = draw.choice((0, 0, 50, 100, 150, 200, 300, 400, 450, 700))
    style = "Passive" if draw.random() < 0.15 else "Marketable"
    guard = draw.choice(GUARDS) if draw.random() < 0.4 else (0, 0, 0)
    return Wish(at_ms, market, hundredths, style, draw.choice((1_500, 60_000, 60_000)), guard=guard)


def _keys(draw: random.Random) -> tuple[tuple[str, str, int, int], ...]:
    sides = [("b1", "Buy", -50), ("b2", "Buy", -120), ("s1", "Sell", 60)]
    chosen = draw.sample(sides, draw.randint(0, 3))
    return tuple(
        (key, side, offset + draw.choice((0, 0, 30)), draw.choice((20, 40))) for key, side, offset in chosen
    )


def _fault(draw: random.Random) -> Fault:
    pod = draw.choice((-1, -1, 0, 1))
    for_ms = draw.choice((120, 500, 900, 1_300, 2_500, 4_000))
    if draw.random() < 0.4:
        kind = draw.choice(TIMED)
        if kind == "lose-log":
            return Fault(kind, pod, draw.randint(1_000, HORIZON_MS), for_ms, amount=draw.choice(LOST))
        return Fault(kind, pod, draw.randint(500, HORIZON_MS), for_ms, amount=draw.choice((-300, 900, 3_000)))
    kind = draw.choice(STRUCK)
    if kind == "lose-log":
        effect = draw.choice(("SaveSnapshot", "Append", "Query"))
        return Fault(kind, -1, 0, for_ms, effect, draw.randint(2, 12), draw.choice(LOST))
    effect = (
        "Send" if kind == "pause-in-send" else draw.choice(("Append", "Append", "Send", "Send", *EFFECTS))
    )
    return Fault(kind, -1, 0, for_ms, effect, draw.randint(1, 25))


def _stepped(seed: int) -> tuple[Fault, ...]:
    """The exchange's clock steps while the fate of an order is being asked for, by its sender or by the next
    leader."""
    draw = random.Random(~seed)
    if draw.random() >= 0.2:
        return ()
    if draw.random() < 0.5:
        nth, away_ms = draw.randint(1, 12), draw.choice((120, 900))
        late = Fault("late", -1, 0, 0, "Send", nth)
        return (late, Fault("crash-after", -1, 0, away_ms, "Send", nth, STEP_MS))
    return (Fault("step-clock", -1, 0, 0, "Query", draw.randint(1, 6), draw.choice((-300, 3_000, 3_000))),)


def _changes(draw: random.Random) -> tuple[Change, ...]:
    if draw.random() < 0.6:
        return ()
    at = draw.randint(1_000, HORIZON_MS - 4_000)
    state = draw.choice(("ReduceOnly", "Paused", "Flatten", "Halted", "Halted"))
    until = at + draw.randint(500, 3_500)
    return (Change(at, state, kill=draw.random() < 0.2), Change(until, "Active"))


def with_parts(plan: Plan, **parts: Any) -> Plan:
    return msgspec.structs.replace(plan, **parts)

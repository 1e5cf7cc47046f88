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
)
STRUCK = (
    "crash-before",
    "crash-after",
    "pause-before",
    "pause-in-send",
    "lose-request",
    "lose-reply",
    "slow-request",
)
EFFECTS = ("Append", "Send", "Query", "Cancel", "ReadAccount", "SaveSnapshot")


def build_plan(seed: int) -> Plan:
    """The whole plan of a seed."""
    draw = random.Random(seed)
    wishes = _wishes(draw)
    return Plan(
        seed=seed,
        wishes=wishes,
        faults=tuple(_fault(draw) for _ in range(draw.randint(4, 10))),
        changes=_changes(draw),
        pods=draw.choice((2, 2, 2, 3, 1)),
        hold_ms=draw.choice((2_500, 2_500, 2_500, 4_000)),
        snapshot_every=draw.choice((8, 25, 25, 1_000)),
        partial=draw.choice((0.0, 0.2, 0.5)),
        passive_timeout_ms=draw.choice((0, 700)),
        stream_loss=draw.choice((0.0, 0.05, 0.5, 1.0)),
        processing_ms=draw.choice((0, 0, 900)),
        ending=draw.choice(("Active", "Active", "Active", "Active", "Halted", "Flatten")),
    )


def _wishes(draw: random.Random) -> tuple[Wish, ...]:
    times = sorted(draw.randint(300, HORIZON_MS) for _ in range(draw.randint(24, 32)))
    return tuple(_wish(draw, at) for at in times)


def _wish(draw: random.Random, at_ms: int) -> Wish:
    market = draw.choice((MARKETS[0], MARKETS[0], MARKETS[1]))
    if draw.random() < 0.2:
        return Wish(at_ms, market, 0, "Resting", draw.choice((1_500, 60_000)), _keys(draw))
    hundredths = draw.choice((0, 0, 50, 100, 150, 200, 300, 400, 450, 700))
    style = "Passive" if draw.random() < 0.15 else "Marketable"
    return Wish(at_ms, market, hundredths, style, draw.choice((1_500, 60_000, 60_000)))


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
        return Fault(kind, pod, draw.randint(500, HORIZON_MS), for_ms, amount=draw.choice((-300, 900, 3_000)))
    kind = draw.choice(STRUCK)
    effect = (
        "Send" if kind == "pause-in-send" else draw.choice(("Append", "Append", "Send", "Send", *EFFECTS))
    )
    return Fault(kind, -1, 0, for_ms, effect, draw.randint(1, 25))


def _changes(draw: random.Random) -> tuple[Change, ...]:
    if draw.random() < 0.6:
        return ()
    at = draw.randint(1_000, HORIZON_MS - 4_000)
    state = draw.choice(("ReduceOnly", "Paused", "Flatten", "Halted", "Halted"))
    until = at + draw.randint(500, 3_500)
    return (Change(at, state, kill=draw.random() < 0.2), Change(until, "Active"))


def with_parts(plan: Plan, **parts: Any) -> Plan:
    return msgspec.structs.replace(plan, **parts)

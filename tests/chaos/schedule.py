"""What happens in one run, drawn from its seed: faults in their order, and how decisions are drawn.

Plain data, so that a run that failed can be run again from its file. Real processes are not deterministic:
the same schedule does the same things at the same places, not at the same microsecond.

Two bounds stand for what is assumed of an exchange: its clock steps by at most STEP_MS and an order becomes
visible within VISIBLE_MS, which together are less than the hold; a request is delayed on its way by less
than the window, the hold and a step back of the clock allow.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec

from smarttrade.simulator.faults import FaultKind

STEP_MS = 1_200
VISIBLE_MS = 500
DELAY_MS = 1_500
ORDER, QUERY, CANCEL = "POST /api/v3/order", "GET /api/v3/order", "DELETE /api/v3/order"
ACCOUNT, TRADES, TIME = "GET /api/v3/account", "GET /api/v3/myTrades", "GET /api/v3/time"

# Sockets and events are struck for a while, requests once or twice.
LASTING = ("event-delay", "event-duplicate", "event-drop", "ws-silence", "ws-drop")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What, on which pod, after how long a pause, for how long; `amount` and `detail` are the kind's own."""

    kind: str
    after_ms: int
    victim: str = "leader"
    for_ms: int = 0
    amount: int = 0
    detail: str = ""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `hold_ms` is how long an order of unknown fate is held after its deadline."""

    seed: int
    servers: int = 1
    hold_ms: int = 2_000
    decisions: int = 0
    faults: tuple[Fault, ...] = ()


# How often each is drawn. Kinds of the exchange's own are one entry and drawn among themselves.
_WEIGHTS = {
    "exchange": 34,
    "kill": 9,
    "kill-both": 1,
    "terminate": 3,
    "stop": 6,
    "stop-before-send": 6,
    "kill-before-send": 4,
    "kill-after-answer": 4,
    "kill-after-cancel": 4,
    "stop-in-flight": 4,
    "kill-in-flight": 4,
    "lose-request": 3,
    "lose-answer": 4,
    "delay-request": 5,
    "cut-bus": 5,
    "cut-exchange": 4,
    "hang-evaluation": 1,
    "hang-monitoring": 1,
    "step-clock": 4,
    "drop-streams": 2,
    "kill-server": 3,
    "stop-server": 2,
    "halt": 2,
    "halt-without-bus": 2,
}
_ALONE_ONLY = {"fill-disk": 1}
_CLUSTER_ONLY = {"partition-server": 5, "kill-stream-leader": 4}
_ENDPOINTS = {
    FaultKind.LATE_VISIBILITY: ("*",),
    FaultKind.EVENT_DELAY: ("*",),
    FaultKind.EVENT_DUPLICATE: ("*",),
    FaultKind.EVENT_DROP: ("*",),
    FaultKind.WS_SILENCE: ("ws*",),
    FaultKind.WS_DROP: ("ws*",),
    FaultKind.CLOCK_SKEW: (ORDER, ORDER, TIME),
    FaultKind.LATENCY: (ORDER, ORDER, QUERY, CANCEL, TIME),
}
_ORDINARY = (ORDER, ORDER, ORDER, ORDER, QUERY, CANCEL, ACCOUNT, TRADES)


def build_schedule(
    seed: int, faults: int, *, servers: int = 1, hold_ms: int = 2_000, decisions: int = 0
) -> Schedule:
    """The whole schedule of a seed."""
    draw = random.Random(f"chaos {seed} {servers}")
    weights = _WEIGHTS | (_CLUSTER_ONLY if servers > 1 else _ALONE_ONLY)
    kinds = draw.choices(list(weights), list(weights.values()), k=faults)
    return Schedule(
        seed=seed,
        servers=servers,
        hold_ms=hold_ms,
        decisions=decisions,
        faults=tuple(_fault(draw, kind) for kind in kinds),
    )


def _fault(draw: random.Random, kind: str) -> Fault:
    after_ms = draw.choice((0, 200, 500, 1_000, 1_500))
    if kind == "exchange":
        return _exchange_fault(draw, after_ms)
    fields: dict[str, Any] = {"for_ms": draw.choice((150, 500, 900, 1_300, 2_500, 4_000))}
    match kind:
        case "kill" | "stop" | "cut-bus":
            fields["victim"] = draw.choice(("leader", "leader", "leader", "standby"))
        case "delay-request":
            fields["for_ms"] = draw.choice((100, 600, 900, 1_200, DELAY_MS))
        case "hang-evaluation" | "hang-monitoring":
            fields["for_ms"] = 7_000
        case "step-clock":
            fields["amount"] = draw.choice((-STEP_MS, -600, -250, 250, 600, STEP_MS))
        case "halt" | "halt-without-bus":
            fields["for_ms"] = 500
        case "fill-disk" | "kill-server" | "stop-server" | "kill-stream-leader":
            fields["for_ms"] = draw.choice((300, 1_000, 3_000))
        case "partition-server":
            fields["for_ms"] = draw.choice((1_000, 3_000, 8_000))
    if kind in ("cut-bus", "cut-exchange", "partition-server"):
        fields["detail"] = draw.choice(("reset", "silence"))
    return Fault(kind=kind, after_ms=after_ms, **fields)


def _exchange_fault(draw: random.Random, after_ms: int) -> Fault:
    kind = draw.choice(list(FaultKind))
    delay = {
        FaultKind.LATENCY: draw.choice((200, 700, DELAY_MS)),
        FaultKind.LATE_VISIBILITY: draw.choice((200, VISIBLE_MS)),
        FaultKind.EVENT_DELAY: draw.choice((100, 800, 3_000)),
        FaultKind.RATE_LIMIT: 1_000,
        FaultKind.CLOCK_SKEW: draw.choice((-STEP_MS, -300, 300, STEP_MS)),
    }.get(kind, 0)
    return Fault(
        kind=f"exchange-{kind.value}",
        after_ms=after_ms,
        for_ms=draw.choice((200, 800, 2_000)),
        amount=delay,
        detail=draw.choice(_ENDPOINTS.get(kind, _ORDINARY)),
    )


def read_schedule(path: Path) -> Schedule:
    """A schedule that a run has left behind."""
    return msgspec.json.decode(path.read_bytes(), type=Schedule)


def write_schedule(schedule: Schedule, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(schedule), indent=1))

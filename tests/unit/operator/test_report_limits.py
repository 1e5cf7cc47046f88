"""What one account's credentials can say must not reach the others."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.identity import AccountIdentity
from smarttrade.messages import Check, EffectiveState, ExecutionReport, MonitoringReport, Position
from smarttrade_operator.reports import Reports, is_sound

SOUND = ExecutionReport(
    pod="alice-0",
    generation=1,
    leading=True,
    epoch=1,
    effective_state=EffectiveState.ACTIVE,
    equity=Decimal("10000.5"),
    realized_pnl=Decimal("-3.25"),
    unrealized_pnl=None,
    open_orders=0,
    unknown_orders=0,
    fills=2,
    positions=[],
    checks=[],
    as_of_ms=1_700_000_000_000,
)
DATA = MonitoringReport(pod="alice-0", generation=1, checks=[], evaluation=None, as_of_ms=1_700_000_000_000)


def position(quantity: str, market: str = "BTC/USDT") -> Position:
    nothing = Decimal(0)
    return Position(
        market=market,
        quantity=Decimal(quantity),
        average_price=nothing,
        realized_pnl=nothing,
        unrealized_pnl=nothing,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"equity": Decimal("1E+999999999")},
        {"equity": Decimal("NaN")},
        {"realized_pnl": Decimal("Infinity")},
        {"positions": [position("1E+99")]},
        {"positions": [position("1")] * 2},
        {"positions": [position("1", f"A{number}/USDT") for number in range(257)]},
        {"positions": [position("1", "A" * 42)]},
        {"fingerprints": ("a",) * 9},
        {"fingerprints": ("a" * 65,)},
        {"fingerprints": ("a", "a")},
        {"pod": ""},
        {"pod": "p" * 254},
        {"fills": -1},
        {"open_orders": 2**53},
        {"generation": 2**63},
        {"breach_id": "b" * 129},
        {"checks": [Check(type="", ok=False, reason="Empty")]},
        {"checks": [Check(type="T" * 129, ok=False, reason="Long")]},
        {"checks": [Check(type="Own", ok=False, reason="R" * 129)]},
        {"checks": [Check(type="Own", ok=False, reason="Long", message="m" * 8193)]},
        {"as_of_ms": 10**18},
        {"as_of_ms": -1},
        {"breach_time_ms": 10**18},
    ],
)
def test_what_the_platform_cannot_show_is_not_taken_in(change: dict[str, Any]) -> None:
    assert is_sound("execution", SOUND)
    assert not is_sound("execution", msgspec.structs.replace(SOUND, **change))


def test_a_role_speaks_for_itself_only() -> None:
    assert is_sound("monitoring", DATA)
    assert not is_sound("monitoring", SOUND)
    assert not is_sound("execution", DATA)


def test_invented_pods_are_not_remembered_without_end() -> None:
    identity, reports = AccountIdentity("tests", "alice", "alice"), Reports(clock=lambda: 0.0)
    reports.expect(identity)
    keys = [
        reports.receive(identity.token, "execution", msgspec.structs.replace(SOUND, pod=f"alice-{number}"))
        for number in range(1_000)
    ]
    assert sum(key is not None for key in keys) == 64
    assert reports.receive(identity.token, "execution", SOUND) is None  # known, and says nothing new

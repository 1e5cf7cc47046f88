"""A refusal is certain only by the exchange's own code; messages leave without secrets."""

from __future__ import annotations

import pytest

from smarttrade.exchange.capabilities import CAPABILITIES, find_capability
from smarttrade.exchange.errors import certain_refusal, sanitised

BINANCE = CAPABILITIES["binance"].codes


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (
            'binance {"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}',
            "DeadlineMissed",
        ),
        (
            'binance {"code":-2010,"msg":"Account has insufficient balance for requested action."}',
            "InsufficientBalance",
        ),
        ('binance {"code":-2010,"msg":"Order would immediately match and take."}', "WouldMatch"),
        ('binance {"code":-1013,"msg":"Filter failure: LOT_SIZE"}', "FilterFailure"),
        ("binance Account has insufficient balance for requested action.", "InsufficientBalance"),
        ("binance Order would immediately match and take.", "WouldMatch"),
        ("binance Stop price would trigger immediately.", "WouldTrigger"),
    ],
)
def test_a_code_of_the_table_is_certain(message: str, code: str) -> None:
    refusal = certain_refusal(Exception(message), BINANCE)
    assert refusal is not None
    assert refusal.code == code


@pytest.mark.parametrize(
    "message",
    [
        "binance POST https://api.binance.com/api/v3/order request timed out",
        'binance {"code":-1007,"msg":"Timeout waiting for response from backend server. '
        'Execution status unknown."}',
        'binance {"code":-1006,"msg":"An unexpected response was received."}',
        'binance {"code":-2010,"msg":"Duplicate order sent."}',
        'binance {"symbol":"BTCUSDT","orderId":12',
        "binance 503 Service Unavailable",
        "insufficient balance",
    ],
)
def test_everything_else_proves_nothing(message: str) -> None:
    assert certain_refusal(Exception(message), BINANCE) is None


def test_what_leaves_carries_no_address_signature_or_key() -> None:
    error = Exception(
        "binance POST https://api.binance.com/api/v3/order?symbol=BTCUSDT&signature=abcdef0123 "
        "X-MBX-APIKEY: topsecretkey signature=fedcba"
    )
    told = sanitised(error)
    assert "binance.com" not in told
    assert "abcdef0123" not in told
    assert "topsecretkey" not in told
    assert "fedcba" not in told


def test_the_hold_is_ten_seconds_at_least_and_short_on_the_simulator_only() -> None:
    assert all(row.hold_ms >= 10_000 for row in CAPABILITIES.values())
    assert find_capability("binance", "Simulator").hold_ms < 10_000
    assert find_capability("binance", "Production").hold_ms >= 10_000

"""What a request weighs, where that depends on its parameters."""

import json

from smarttrade.simulator.parameters import Parameters


def named_symbols(parameters: Parameters) -> int | None:
    """How many markets a request names; None: all."""
    if parameters.get("symbol"):
        return 1
    several = parameters.get("symbols")
    if several is None:
        return None
    try:
        return len(json.loads(several))
    except (ValueError, TypeError):
        return 1


def depth(parameters: Parameters) -> int:
    text = parameters.get("limit") or "100"
    limit = int(text) if text.isdigit() else 100
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250


def day_ticker(parameters: Parameters) -> int:
    count = named_symbols(parameters)
    if count is None or count > 100:
        return 80
    return 2 if count <= 20 else 40


def quick_ticker(parameters: Parameters) -> int:
    return 2 if parameters.get("symbol") else 4


def window_ticker(parameters: Parameters) -> int:
    return min(200, 4 * (named_symbols(parameters) or 1))


def open_orders(parameters: Parameters) -> int:
    return 6 if parameters.get("symbol") else 80


def my_trades(parameters: Parameters) -> int:
    return 5 if parameters.get("orderId") else 20


def prevented_matches(parameters: Parameters) -> int:
    return 2 if parameters.get("preventedMatchId") else 20


def test_order(parameters: Parameters) -> int:
    return 20 if parameters.get("computeCommissionRates") == "true" else 1


def execution_rules(parameters: Parameters) -> int:
    count = named_symbols(parameters)
    return 40 if count is None else min(40, 2 * count)

"""For tests: a simulator in the test's own event loop, and ccxt's settings to reach it.

async with Simulator(manual_config(build_test_user("alice", USDT="10000"))) as exchange:
    exchange.set_price("BTC/USDT", "60000")
    client = point_ccxt(ccxt.pro.binance(ccxt_config("alice")), exchange)
"""

from decimal import Decimal
from typing import Any

from smarttrade.simulator.config import SimulatorConfig, UserConfig
from smarttrade.simulator.simulator import Simulator

__all__ = [
    "Simulator",
    "SimulatorConfig",
    "UserConfig",
    "build_test_user",
    "ccxt_config",
    "manual_config",
    "point_ccxt",
]


def build_test_user(name: str, **balances: str) -> UserConfig:
    """A user whose key and secret follow from the name; fees 0.1 %."""
    return UserConfig(
        name=name,
        key=f"{name}-key",
        secret=f"{name}-secret",
        balances={asset: Decimal(amount) for asset, amount in balances.items()},
    )


def manual_config(
    *users: UserConfig, symbols: tuple[str, ...] = ("BTC/USDT",), **fields: Any
) -> SimulatorConfig:
    """A market that moves only by hand."""
    return SimulatorConfig(market="manual", symbols=list(symbols), users=list(users), **fields)


def ccxt_config(name: str = "") -> dict[str, Any]:
    """Constructor settings of ccxt's binance for a test user; anonymous without a name."""
    keys = {"apiKey": f"{name}-key", "secret": f"{name}-secret"} if name else {}
    options = {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
    }
    return {**keys, "enableRateLimit": False, "options": options}


def point_ccxt(client: Any, simulator: Simulator) -> Any:
    """Change the URLs of a ccxt binance client, and nothing else; returns it."""
    api = client.urls["api"]
    api["public"] = api["private"] = f"{simulator.rest_url}/api/v3"
    api["ws"]["spot"] = f"{simulator.ws_url}/stream/ws"
    api["ws"]["ws-api"]["spot"] = simulator.websocket_api_url
    return client

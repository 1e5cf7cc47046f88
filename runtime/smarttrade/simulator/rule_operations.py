"""Questions about rules that this exchange does not have: the documented answers for their absence.

No market has a price range or a reference price, no block trades are made, and no account is limited in how
much of an asset it may hold.
"""

from typing import Any, NoReturn

from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.market_operations import selected_markets
from smarttrade.simulator.render_rules import build_filters

NO_REFERENCE_PRICE = -2043


def execution_rules(call: Call) -> Any:
    """Each market asked for, without any rule."""
    markets, _ = selected_markets(call)
    return {"symbolRules": [{"symbol": data.market.id, "rules": []} for data in markets]}


def reference_price(call: Call) -> NoReturn:
    call.market()
    raise ApiError(NO_REFERENCE_PRICE, "This symbol doesn't have a reference price.")


def block_trades(call: Call) -> Any:
    call.market()
    return []


def my_filters(call: Call) -> Any:
    """What bounds the account in the market beyond each order's own filters."""
    counts = [
        each for each in build_filters(call.market().market) if each["filterType"].startswith("MAX_NUM")
    ]
    return {"exchangeFilters": [], "symbolFilters": counts, "assetFilters": []}

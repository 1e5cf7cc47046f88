"""A market's entry in exchangeInfo."""

from typing import Any

from smarttrade.matching import Market
from smarttrade.matching.orders import OrderType, SelfTradePrevention
from smarttrade.simulator.amendment import AMENDMENTS_KEPT

Json = dict[str, Any]


def build_symbol(market: Market, *, suspended: bool) -> Json:
    """One entry of exchangeInfo."""
    return {
        "symbol": market.id,
        "status": "BREAK" if suspended else "TRADING",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [kind.value for kind in OrderType],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": build_filters(market),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": [mode.value for mode in SelfTradePrevention],
        "pegInstructionsAllowed": False,
    }


def build_filters(market: Market) -> list[Json]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{market.min_price:.8f}",
            "maxPrice": f"{market.max_price:.8f}",
            "tickSize": f"{market.tick_size:.8f}",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": f"{market.min_quantity:.8f}",
            "maxQty": f"{market.max_quantity:.8f}",
            "stepSize": f"{market.step_size:.8f}",
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": f"{market.max_market_quantity:.8f}",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": str(market.bid_multiplier_up),
            "bidMultiplierDown": str(market.bid_multiplier_down),
            "askMultiplierUp": str(market.ask_multiplier_up),
            "askMultiplierDown": str(market.ask_multiplier_down),
            "avgPriceMins": 0,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": f"{market.min_notional:.8f}",
            "applyMinToMarket": True,
            "maxNotional": f"{market.max_notional:.8f}",
            "applyMaxToMarket": False,
            "avgPriceMins": 0,
        },
        {"filterType": "ICEBERG_PARTS", "limit": market.max_iceberg_parts},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": market.max_open_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": market.max_stop_orders},
        {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": market.max_iceberg_orders},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": AMENDMENTS_KEPT},
    ]

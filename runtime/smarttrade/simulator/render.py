"""Answers and events as the exchange writes them; plain data, nothing else."""

from typing import Any

from smarttrade.matching import BUY, SELL, Execution, Kind, Market, Order, OrderList, PublicTrade
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import SIDE_NAMES, STOP_TYPES, OrderType
from smarttrade.matching.units import SCALE, notional, to_text
from smarttrade.simulator.candles import Candle
from smarttrade.simulator.marketdata import Levels, MarketData

Json = dict[str, Any]


def build_symbol(market: Market) -> Json:
    """One entry of exchangeInfo."""
    return {
        "symbol": market.id,
        "status": "TRADING",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [kind.value for kind in OrderType],
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
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
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
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
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": market.max_open_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": market.max_stop_orders},
    ]


def build_order(order: Order) -> Json:
    """An order as queries show it."""
    shown = build_order_state(order)
    shown.update(
        {
            "stopPrice": to_text(order.stop_price),
            "icebergQty": "0.00000000",
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": order.type not in STOP_TYPES or order.triggered,
            "workingTime": order.working_ms if order.type not in STOP_TYPES or order.triggered else -1,
        }
    )
    return shown


def build_order_state(order: Order) -> Json:
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "price": to_text(order.price),
        "origQty": to_text(order.quantity),
        "executedQty": to_text(order.filled),
        "origQuoteOrderQty": to_text(order.quote_quantity),
        "cummulativeQuoteQty": to_text(order.quote_filled),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "side": SIDE_NAMES[order.side],
        "selfTradePreventionMode": order.self_trade_prevention.value,
    }


def build_ack(order: Order) -> Json:
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": order.created_ms,
    }


def build_placed(order: Order, fills: list[Execution], response: str) -> Json:
    """The answer to a new order: ACK, RESULT or FULL."""
    shown = build_ack(order)
    if response == "ACK":
        return shown
    shown.update(build_order_state(order))
    shown["transactTime"] = order.updated_ms
    shown["workingTime"] = order.working_ms
    if order.stop_price:
        shown["stopPrice"] = to_text(order.stop_price)
    if response == "FULL":
        shown["fills"] = [build_fill(fill) for fill in fills]
    return shown


def build_fill(fill: Execution) -> Json:
    return {
        "price": to_text(fill.price),
        "qty": to_text(fill.quantity),
        "commission": to_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    }


def build_canceled(order: Order, new_client_id: str) -> Json:
    return {
        **build_order_state(order),
        "origClientOrderId": order.client_order_id,
        "clientOrderId": new_client_id,
        "transactTime": order.updated_ms,
    }


def build_my_trade(fill: Execution) -> Json:
    order = fill.order
    return {
        "symbol": order.market.id,
        "id": fill.trade_id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "price": to_text(fill.price),
        "qty": to_text(fill.quantity),
        "quoteQty": to_text(fill.quote_quantity),
        "commission": to_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "isBuyer": order.side == BUY,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def build_order_list(order_list: OrderList) -> Json:
    orders = order_list.orders
    is_open = order_list.is_open
    return {
        "orderListId": order_list.id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if is_open else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if is_open else "ALL_DONE",
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": order_list.created_ms,
        "symbol": orders[0].market.id,
        "orders": [
            {"symbol": o.market.id, "orderId": o.id, "clientOrderId": o.client_order_id} for o in orders
        ],
    }


def build_account(account: Account, now_ms: int, omit_zero: bool) -> Json:
    maker, taker = account.fees.rate_units(True), account.fees.rate_units(False)
    names = sorted(set(account.free) | set(account.locked))
    rows = [(name, account.free.get(name, 0), account.locked.get(name, 0)) for name in names]
    return {
        "makerCommission": maker * 10_000 // SCALE,
        "takerCommission": taker * 10_000 // SCALE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": to_text(maker),
            "taker": to_text(taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": to_text(free), "locked": to_text(locked)}
            for name, free, locked in rows
            if free or locked or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": abs(hash(account.name)) % 10**9,
    }


def build_trade(trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "price": to_text(trade.price),
        "qty": to_text(trade.quantity),
        "quoteQty": to_text(notional(trade.price, trade.quantity)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def build_aggregate_trade(trade: PublicTrade) -> Json:
    return {
        "a": trade.id,
        "p": to_text(trade.price),
        "q": to_text(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def build_kline(candle: Candle) -> list[Any]:
    return [
        candle.open_ms,
        to_text(candle.open),
        to_text(candle.high),
        to_text(candle.low),
        to_text(candle.close),
        to_text(candle.volume),
        candle.close_ms,
        to_text(candle.quote_volume),
        candle.trades,
        to_text(candle.taker_volume),
        to_text(candle.taker_quote_volume),
        "0",
    ]


def build_levels(levels: list[tuple[int, int]]) -> list[list[str]]:
    return [[to_text(price), to_text(quantity)] for price, quantity in levels]


def build_depth(data: MarketData, count: int) -> Json:
    return {
        "lastUpdateId": data.published_id,
        "bids": build_levels(data.depth(BUY, count)),
        "asks": build_levels(data.depth(SELL, count)),
    }


def build_book_ticker(data: MarketData) -> Json:
    bid, bid_size, ask, ask_size = data.best()
    return {
        "symbol": data.market.id,
        "bidPrice": to_text(bid),
        "bidQty": to_text(bid_size),
        "askPrice": to_text(ask),
        "askQty": to_text(ask_size),
    }


def build_day_ticker(data: MarketData, now_ms: int) -> Json:
    bid, bid_size, ask, ask_size = data.best()
    day = data.day(now_ms) or Candle(now_ms - 86_400_000, now_ms, 0, 0, 0, 0)
    average = day.quote_volume * SCALE // day.volume if day.volume else 0
    percent = (day.close - day.open) * 100_000 // day.open if day.open else 0
    return {
        "symbol": data.market.id,
        "priceChange": to_text(day.close - day.open),
        "priceChangePercent": f"{percent / 1000:.3f}",
        "weightedAvgPrice": to_text(average),
        "prevClosePrice": to_text(day.open),
        "lastPrice": to_text(day.close),
        "lastQty": to_text(data.trades[-1].quantity if data.trades else 0),
        "bidPrice": to_text(bid),
        "bidQty": to_text(bid_size),
        "askPrice": to_text(ask),
        "askQty": to_text(ask_size),
        "openPrice": to_text(day.open),
        "highPrice": to_text(day.high),
        "lowPrice": to_text(day.low),
        "volume": to_text(day.volume),
        "quoteVolume": to_text(day.quote_volume),
        "openTime": now_ms - 86_400_000,
        "closeTime": now_ms,
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }


# --- stream events ----------------------------------------------------------------------------------


def build_trade_event(trade: PublicTrade, now_ms: int) -> Json:
    return {
        "e": "trade",
        "E": now_ms,
        "s": trade.market.id,
        "t": trade.id,
        "p": to_text(trade.price),
        "q": to_text(trade.quantity),
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def build_aggregate_trade_event(trade: PublicTrade, now_ms: int) -> Json:
    return {"e": "aggTrade", "E": now_ms, "s": trade.market.id, **build_aggregate_trade(trade)}


def build_kline_event(market: Market, interval: str, candle: Candle, closed: bool, now_ms: int) -> Json:
    return {
        "e": "kline",
        "E": now_ms,
        "s": market.id,
        "k": {
            "t": candle.open_ms,
            "T": candle.close_ms,
            "s": market.id,
            "i": interval,
            "f": candle.first_trade_id,
            "L": candle.last_trade_id,
            "o": to_text(candle.open),
            "c": to_text(candle.close),
            "h": to_text(candle.high),
            "l": to_text(candle.low),
            "v": to_text(candle.volume),
            "n": candle.trades,
            "x": closed,
            "q": to_text(candle.quote_volume),
            "V": to_text(candle.taker_volume),
            "Q": to_text(candle.taker_quote_volume),
            "B": "0",
        },
    }


def build_book_ticker_event(data: MarketData) -> Json:
    bid, bid_size, ask, ask_size = data.best()
    return {
        "u": data.update_id,
        "s": data.market.id,
        "b": to_text(bid),
        "B": to_text(bid_size),
        "a": to_text(ask),
        "A": to_text(ask_size),
    }


def build_depth_event(market: Market, changes: tuple[int, int, Levels, Levels], now_ms: int) -> Json:
    first, last, bids, asks = changes
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "s": market.id,
        "U": first,
        "u": last,
        "b": build_levels(sorted(bids.items(), reverse=True)),
        "a": build_levels(sorted(asks.items())),
    }


def build_ticker_event(data: MarketData, now_ms: int) -> Json:
    day = build_day_ticker(data, now_ms)
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": day["symbol"],
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "x": day["prevClosePrice"],
        "c": day["lastPrice"],
        "Q": day["lastQty"],
        "b": day["bidPrice"],
        "B": day["bidQty"],
        "a": day["askPrice"],
        "A": day["askQty"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "O": day["openTime"],
        "C": day["closeTime"],
        "F": day["firstId"],
        "L": day["lastId"],
        "n": day["count"],
    }


def build_mini_ticker_event(data: MarketData, now_ms: int) -> Json:
    full = build_ticker_event(data, now_ms)
    return {"e": "24hrMiniTicker", **{name: full[name] for name in ("E", "s", "c", "o", "h", "l", "v", "q")}}


def build_execution_report(execution: Execution) -> Json:
    """executionReport of the user data stream."""
    order = execution.order
    canceled = execution.kind in (Kind.CANCELED,)
    report: Json = {
        "e": "executionReport",
        "E": execution.time_ms,
        "s": order.market.id,
        "c": order.client_order_id,
        "S": SIDE_NAMES[order.side],
        "o": order.type.value,
        "f": order.time_in_force.value,
        "q": to_text(order.quantity),
        "p": to_text(order.price),
        "P": to_text(order.stop_price),
        "F": "0.00000000",
        "g": order.list_id,
        "C": order.client_order_id if canceled else "",
        "x": "TRADE_PREVENTION" if execution.status.value == "EXPIRED_IN_MATCH" else execution.kind.value,
        "X": execution.status.value,
        "r": "NONE",
        "i": order.id,
        "l": to_text(execution.quantity),
        "z": to_text(execution.filled),
        "L": to_text(execution.price),
        "n": to_text(execution.commission) if execution.commission_asset else "0",
        "N": execution.commission_asset,
        "T": execution.time_ms,
        "t": execution.trade_id,
        "I": execution.sequence,
        "w": bool(order.open),
        "m": execution.is_maker,
        "M": False,
        "O": order.created_ms,
        "Z": to_text(execution.quote_filled),
        "Y": to_text(execution.quote_quantity),
        "Q": to_text(order.quote_quantity),
        "V": order.self_trade_prevention.value,
    }
    if order.type not in STOP_TYPES or order.triggered:
        report["W"] = order.working_ms
    return report


def build_position_event(account: Account, assets: list[str], now_ms: int) -> Json:
    """outboundAccountPosition: the balances that may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {
                "a": name,
                "f": to_text(account.free.get(name, 0)),
                "l": to_text(account.locked.get(name, 0)),
            }
            for name in assets
        ],
    }

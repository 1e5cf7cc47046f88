"""binance-connector, the exchange's older library: REST, streams and websocket API."""

import json
import sys
import time

from binance.spot import Spot
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from steps import expect, step

REST, WS = sys.argv[1:]
BTC = "BTCUSDT"
LIMIT = {"timeInForce": "GTC", "quantity": 0.01}


def main() -> None:
    client = Spot(api_key="alice-key", api_secret="alice-secret", base_url=REST)
    price = float(client.avg_price(BTC)["price"])
    low, high = round(price * 0.9, 2), round(price * 1.1, 2)
    step("exchangeInfo", lambda: expect(len(client.exchange_info()["symbols"]) == 3000, "3000 symbols"))
    step("rolling window", lambda: client.rolling_window_ticker(symbol=BTC)["lastPrice"])
    step("monthly klines", lambda: client.ui_klines(BTC, "1M")[-1])
    order = step("order", lambda: client.new_order(BTC, "BUY", "LIMIT", price=low, **LIMIT))
    step("cancelReplace", lambda: replace(client, order["orderId"], low)["newOrderResult"])
    step("order/test", lambda: client.new_order_test(BTC, "BUY", "MARKET", quantity=0.01))
    step("cancel open orders", lambda: client.cancel_open_orders(BTC))
    pair = {"aboveType": "LIMIT_MAKER", "abovePrice": high, "belowType": "STOP_LOSS", "belowStopPrice": low}
    placed = step("oco", lambda: client.new_oco_order(BTC, "SELL", 0.01, **pair))
    step("query list", lambda: client.get_oco_order(orderListId=placed["orderListId"]))
    step("all lists", lambda: expect(client.get_oco_orders(), "lists"))
    step("cancel list", lambda: client.cancel_oco_order(BTC, orderListId=placed["orderListId"]))
    step("order rate limit", client.get_order_rate_limit)
    step("commission", lambda: client.query_commission_rates(BTC))
    step("account", lambda: client.account(omitZeroBalances="true")["balances"])
    step("wallet", lambda: (client.system_status(), len(client.coin_info()), client.user_asset()))
    step("streams", streams)
    step("websocket API", lambda: websocket_api(low))


def replace(client: Spot, order_id: int, price: float) -> dict:
    return client.cancel_and_replace(
        BTC, "BUY", "LIMIT", "STOP_ON_FAILURE", cancelOrderId=order_id, price=price, **LIMIT
    )


def streams() -> set[str]:
    messages: list[str] = []
    client = SpotWebsocketStreamClient(stream_url=WS, on_message=lambda _, text: messages.append(text))
    client.agg_trade(BTC)
    client.kline(BTC, "1s")
    client.partial_book_depth(BTC, 5, 100)
    client.ticker(BTC)
    client.rolling_window_ticker(BTC, "1h")
    time.sleep(5)
    client.stop()
    kinds = {json.loads(text).get("e", "depth") for text in messages if '"result"' not in text}
    return expect(kinds >= {"aggTrade", "kline", "depth", "24hrTicker", "1hTicker"} and kinds, str(kinds))


def websocket_api(price: float) -> list[int]:
    answers: list[str] = []
    client = SpotWebsocketAPIClient(
        stream_url=f"{WS}/ws-api/v3",
        api_key="alice-key",
        api_secret="alice-secret",
        on_message=lambda _, text: answers.append(text),
    )
    client.account()
    client.new_order(symbol=BTC, side="BUY", type="LIMIT", price=price, **LIMIT)
    client.cancel_open_orders(symbol=BTC)
    time.sleep(3)
    client.stop()
    statuses = [json.loads(text)["status"] for text in answers]
    return expect(statuses == [200] * 3 and statuses, str(answers))


main()

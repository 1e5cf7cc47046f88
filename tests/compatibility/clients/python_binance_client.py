"""python-binance: REST, streams, user stream and websocket API."""

import asyncio
import sys

from binance import AsyncClient, BinanceSocketManager, Client
from steps import expect, step

REST, WS = sys.argv[1:]
for kind in (Client, AsyncClient):
    kind.API_URL, kind.MARGIN_API_URL, kind.WS_API_URL = f"{REST}/api", f"{REST}/sapi", f"{WS}/ws-api/v3"
BinanceSocketManager.STREAM_URL = f"{WS}/"
BTC = "BTCUSDT"


def main() -> None:
    client = Client("alice-key", "alice-secret")
    price = float(client.get_avg_price(symbol=BTC)["price"])
    low, high = str(round(price * 0.9, 2)), str(round(price * 1.1, 2))
    step("exchangeInfo", lambda: expect(len(client.get_exchange_info()["symbols"]) == 3000, "3000 symbols"))
    step("depth", lambda: client.get_order_book(symbol=BTC)["bids"][0])
    step("klines", lambda: expect(client.get_historical_klines(BTC, "1m", "10 minutes ago UTC"), "klines"))
    step("24 h ticker", lambda: client.get_ticker(symbol=BTC)["lastPrice"])
    step("account", lambda: client.get_asset_balance("USDT"))
    step("trade fee", lambda: client.get_trade_fee(symbol=BTC))
    step("key permissions", client.get_account_api_permissions)
    step("test order", lambda: client.create_test_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.01))
    step("market order", lambda: expect(market(client)["status"] == "FILLED", "FILLED"))
    order = step("limit order", lambda: client.order_limit_buy(symbol=BTC, quantity=0.01, price=low))
    step("cancel", lambda: client.cancel_order(symbol=BTC, orderId=order["orderId"])["status"])
    step("oco", lambda: client.create_oco_order(**pair(low, high))["listOrderStatus"])
    step("cancel all", lambda: client.cancel_all_open_orders(symbol=BTC))
    step("my trades", lambda: expect(client.get_my_trades(symbol=BTC), "trades"))
    step("streams", lambda: asyncio.run(streams(low)))


def market(client: Client) -> dict:
    return client.order_market_buy(symbol=BTC, quoteOrderQty=100)


def pair(low: str, high: str) -> dict:
    return {
        "symbol": BTC,
        "side": "SELL",
        "quantity": 0.01,
        "aboveType": "LIMIT_MAKER",
        "abovePrice": high,
        "belowType": "STOP_LOSS",
        "belowStopPrice": low,
    }


async def streams(low: str) -> set[str]:
    client = await AsyncClient.create("alice-key", "alice-secret")
    manager = BinanceSocketManager(client)
    heard = set()
    for socket in (
        manager.trade_socket(BTC),
        manager.kline_socket(BTC),
        manager.depth_socket(BTC),
        manager.symbol_ticker_socket(BTC),
        manager.miniticker_socket(),
        manager.multiplex_socket(["btcusdt@bookTicker", "ethusdt@aggTrade"]),
    ):
        async with socket as stream:
            message = await asyncio.wait_for(stream.recv(), 20)
            heard.add(message.get("e", "combined") if isinstance(message, dict) else "array")
    async with manager.user_socket() as user:
        order = await client.order_limit_buy(symbol=BTC, quantity=0.01, price=low)
        heard.add((await asyncio.wait_for(user.recv(), 20))["e"])
        await client.cancel_order(symbol=BTC, orderId=order["orderId"])
    await client.ws_create_order(
        symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.01, price=low
    )
    await client.close_connection()
    return heard


main()

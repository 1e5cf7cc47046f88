"""binance-sdk-spot, the exchange's newer library, which validates every answer against its models."""

import asyncio
import sys

from binance_sdk_spot.spot import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
    Spot,
)
from steps import expect, step

REST, WS = sys.argv[1:]
KEYS = {"api_key": "alice-key", "api_secret": "alice-secret"}
BTC = "BTCUSDT"


def main() -> None:
    rest = Spot(config_rest_api=ConfigurationRestAPI(base_path=REST, **KEYS)).rest_api
    limit = {"side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01, "price": 50000}
    step("exchangeInfo", lambda: expect(len(rest.exchange_info().data().symbols) == 3000, "3000 symbols"))
    step("klines", lambda: rest.klines(BTC, "1m").data()[-1])
    step("account", lambda: rest.get_account(omit_zero_balances=True).data().balances)
    step("order", lambda: rest.new_order(symbol=BTC, **limit).data().order_id)
    step("cancel all", lambda: rest.delete_open_orders(BTC).data())
    step("oto", lambda: rest.order_list_oto(**entry_and_exit()).data().contingency_type)
    step("all lists", lambda: expect(rest.all_order_list().data(), "lists"))
    step("cancel list", lambda: rest.delete_open_orders(BTC).data())
    step("stream and websocket API", lambda: asyncio.run(websockets()))


def entry_and_exit() -> dict:
    working = {"type": "LIMIT", "side": "BUY", "price": 50000, "quantity": 0.01, "time_in_force": "GTC"}
    pending = {**working, "side": "SELL", "price": 70000}
    return {
        "symbol": BTC,
        **{f"working_{name}": value for name, value in working.items()},
        **{f"pending_{name}": value for name, value in pending.items()},
    }


async def websockets() -> int:
    spot = Spot(
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=WS),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=f"{WS}/ws-api/v3", **KEYS),
    )
    streams = await spot.websocket_streams.create_connection()
    heard: list[object] = []
    (await streams.trade(symbol="btcusdt")).on("message", heard.append)
    await asyncio.sleep(5)
    await streams.close_connection(close_session=True)
    api = await spot.websocket_api.create_connection()
    expect((await api.account_status()).data(), "an account")
    await api.close_connection(close_session=True)
    return expect(len(heard), "trades")


main()

"""unicorn-binance-websocket-api: combined streams and the websocket API."""

import json
import sys
import time

from steps import expect, step
from unicorn_binance_websocket_api import BinanceWebSocketApiManager

_, WS = sys.argv[1:]
BTC = "BTCUSDT"


def main() -> None:
    manager = BinanceWebSocketApiManager(
        exchange="binance.com",
        websocket_base_uri=f"{WS}/",
        websocket_api_base_uri=f"{WS}/ws-api/v3",
        warn_on_update=False,
    )
    step("streams", lambda: streams(manager))
    api = manager.create_stream(
        api=True, api_key="alice-key", api_secret="alice-secret", stream_label="api", output="dict"
    )
    time.sleep(3)
    spot = manager.api.spot
    asked = {"stream_id": api, "return_response": True}
    step("time", lambda: spot.get_server_time(**asked)["status"])
    order = {"side": "BUY", "order_type": "LIMIT", "price": 50000.0, "quantity": 0.01, "time_in_force": "GTC"}
    step("order", lambda: expect(spot.create_order(symbol=BTC, **order, **asked)[1]["status"] == 200, "200"))
    step("cancel all", lambda: spot.cancel_open_orders(symbol=BTC, **asked)["status"])
    manager.stop_manager()


def streams(manager: BinanceWebSocketApiManager) -> set[str]:
    manager.create_stream(["trade", "kline_1m", "depth5"], ["btcusdt", "ethusdt"])
    kinds: set[str] = set()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        message = manager.pop_stream_data_from_stream_buffer()
        if message:
            kinds.add(json.loads(message).get("stream", "").rpartition("@")[2])
        else:
            time.sleep(0.1)
    return expect(kinds >= {"trade", "kline_1m", "depth5"} and kinds, str(kinds))


main()

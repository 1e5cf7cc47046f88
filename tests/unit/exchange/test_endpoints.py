"""One exchange class, pointed where the catalogue says and nowhere else."""

import json
import subprocess
import sys
from decimal import Decimal
from types import SimpleNamespace

import pytest
from aiohttp import WSMsgType

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.ccxt_feed import candle_from_ccxt, quote_from_ccxt, trade_from_ccxt
from smarttrade.exchange.endpoints import build_urls, create_exchange
from smarttrade.exchange.loading import load_exchange_class
from smarttrade.messages import Side

SIMULATOR = Endpoint(rest="http://sim:8080", websocket="ws://sim:8080", websocket_api="ws://sim:8080")


def loaded_modules(*statements: str) -> list[str]:
    code = "; ".join([*statements, "import sys, json", "print(json.dumps(sorted(sys.modules)))"])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(result.stdout)
    return modules


def test_one_exchange_is_loaded_without_the_others() -> None:
    load = "from smarttrade.exchange.loading import load_exchange_class; load_exchange_class('binance')"
    modules = loaded_modules(load)
    exchanges = [name for name in modules if name.startswith("ccxt.pro.")]
    assert exchanges == ["ccxt.pro.binance"]
    assert "ccxt.async_support.kraken" not in modules


def test_a_key_that_signs_with_hmac_leaves_cryptography_unloaded() -> None:
    sign = "load_exchange_class('binance').hmac(b'a', b'b', __import__('hashlib').sha256)"
    modules = loaded_modules("from smarttrade.exchange.loading import load_exchange_class", sign)
    assert not [name for name in modules if name.startswith("cryptography.hazmat.bindings")]


def test_keys_of_other_kinds_sign_as_ever() -> None:
    check = """
import base64
from smarttrade.exchange.loading import load_exchange_class
binance = load_exchange_class("binance")
curve = binance.ecdsa("ab" * 32, "11" * 32, "secp256k1", None)
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
edwards = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
edwards.public_key().verify(base64.b64decode(binance.eddsa(b"order", bytes(range(32)), "ed25519")), b"order")
private = rsa.generate_private_key(65537, 2048)
text = private.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
signature = base64.b64decode(binance.rsa("order", text, "sha256"))
private.public_key().verify(signature, b"order", padding.PKCS1v15(), hashes.SHA256())
assert curve["r"] and curve["s"]
"""
    subprocess.run([sys.executable, "-c", check], check=True)


def test_what_was_not_loaded_is_found_when_used() -> None:
    load = "from smarttrade.exchange.loading import prepare_ccxt; prepare_ccxt()"
    modules = loaded_modules(load, "import ccxt.pro", "assert ccxt.pro.kraken().id == 'kraken'")
    assert "ccxt.pro.kraken" in modules


@pytest.mark.parametrize("name", ["binance", "kraken", "bybit", "okx", "binanceus"])
def test_ccxt_pro_exchanges_load_by_name(name: str) -> None:
    assert load_exchange_class(name)().id == name


@pytest.mark.parametrize("name", ["nowhere", "Binance", "../os"])
def test_unknown_exchanges_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_exchange_class(name)


def test_only_the_addresses_change_for_the_simulator() -> None:
    plain, pointed = create_exchange("binance", Endpoint()), create_exchange("binance", SIMULATOR)
    assert pointed.urls["api"]["public"] == pointed.urls["api"]["private"] == "http://sim:8080/api/v3"
    assert pointed.urls["api"]["ws"]["spot"] == "ws://sim:8080/ws"
    assert pointed.urls["api"]["ws"]["ws-api"]["spot"] == "ws://sim:8080/ws-api/v3"
    assert pointed.options == plain.options
    assert plain.urls["api"]["public"] == "https://api.binance.com/api/v3"


def test_a_written_path_is_kept() -> None:
    assert build_urls(Endpoint(rest="https://host/base/")) == {"rest": "https://host/base"}


def test_the_test_environment_is_ccxts_own() -> None:
    exchange = create_exchange("binance", Endpoint(sandbox=True))
    assert "testnet" in exchange.urls["api"]["public"]


def test_addresses_of_another_protocol_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="only Binance's protocol supports"):
        create_exchange("kraken", SIMULATOR)


def test_nothing_is_loaded_beyond_spot() -> None:
    options = create_exchange("binance", SIMULATOR).options
    assert options["fetchMarkets"]["types"] == ["spot"]
    assert (options["fetchMargins"], options["fetchCurrencies"]) == (False, False)


def test_trades_keep_every_digit() -> None:
    made = trade_from_ccxt(
        "SHIB/USDT",
        {
            "id": 7,
            "price": "0.000012345678",
            "amount": "12345678901.12345678",
            "side": "sell",
            "timestamp": 5,
        },
    )
    assert (made.price, made.quantity) == (Decimal("0.000012345678"), Decimal("12345678901.12345678"))
    assert (made.id, made.side, made.time_ms) == ("7", Side.SELL, 5)


def test_quotes_without_a_time_get_ours() -> None:
    ticker = {
        "bid": "1.5",
        "bidVolume": "2",
        "ask": "1.6",
        "askVolume": "3",
        "timestamp": None,
        "info": {"u": 9},
    }
    made = quote_from_ccxt("BTC/USDT", ticker, 1_234)
    assert (made.time_ms, made.update_id, made.ask) == (1_234, 9, Decimal("1.6"))


def test_candles_come_in_the_exchanges_order() -> None:
    made = candle_from_ccxt([60_000, 1.1, 1.4, 1.0, 1.2, 55.5])
    assert (made.open, made.high, made.low, made.close) == tuple(map(Decimal, ("1.1", "1.4", "1.0", "1.2")))
    assert not made.closed


async def test_a_message_that_cannot_be_read_breaks_the_stream() -> None:
    exchange = create_exchange("binance", Endpoint())
    client = exchange.client("wss://stream.example")
    watching = client.future("orders")
    client.handle_message(SimpleNamespace(type=WSMsgType.TEXT, data='{"e":'))
    with pytest.raises(VenueError, match="unreadable message: JSONDecodeError"):
        await watching
    await exchange.close()

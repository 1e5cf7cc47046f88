"""A ccxt instance that talks to one endpoint of the catalogue and knows the account's own markets only.

What bites: without `fetchMargins: False` ccxt's load_markets with a key calls Binance's real margin
endpoint whatever the URLs say; loading all of 3,400 markets costs 114 MiB that Python does not give back,
so where the exchange can be asked for single symbols it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.loading import load_exchange_class
from smarttrade.exchange.route import Gateway, Route
from smarttrade.process.memory import give_back

BINANCE_PROTOCOL = frozenset({"binance", "binanceus"})
KEEP_ALIVE_MS = 1_000
_REST_TIMEOUT_MS = 5_000


def build_config(name: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a ccxt instance is constructed with: spot only, no calls beyond the endpoint, quick keep-alive.

    `overrides` are ccxt's own keys (`apiKey`, `timeout`, `enableRateLimit`); `options` are merged.
    """
    options: dict[str, Any] = {"defaultType": "spot", "fetchCurrencies": False, "fetchMargins": False}
    if name in BINANCE_PROTOCOL:
        options |= {
            "fetchMarkets": {"types": ["spot"]},
            "fetchTradesMethod": "publicGetTrades",
            "streamLimits": {"spot": 1},
        }
    given = dict(overrides or {})
    options |= given.pop("options", {})
    defaults = {
        "enableRateLimit": True,
        "timeout": _REST_TIMEOUT_MS,
        "streaming": {"keepAlive": KEEP_ALIVE_MS},
    }
    return {**defaults, **given, "options": options}


def build_urls(endpoint: Endpoint) -> dict[str, str]:
    """The addresses of a Binance-Spot-compatible server; a base without a path gets the protocol's own."""
    written = {
        "rest": (endpoint.rest, "/api/v3"),
        "websocket": (endpoint.websocket, "/ws"),
        "websocket_api": (endpoint.websocket_api, "/ws-api/v3"),
    }
    return {key: _with_path(url, path) for key, (url, path) in written.items() if url}


def _with_path(url: str, path: str) -> str:
    return url.rstrip("/") if urlsplit(url).path.strip("/") else url.rstrip("/") + path


def create_exchange(
    name: str,
    endpoint: Endpoint,
    overrides: Mapping[str, Any] | None = None,
    exchange_class: type[Any] | None = None,
    route: Route | None = None,
) -> Any:
    """A ccxt.pro instance for the endpoint, with no connection made; the caller closes it.

    ConfigurationError where the endpoint changes addresses of an exchange whose protocol we cannot point
    elsewhere, or asks for a test environment that ccxt does not know.
    """
    exchange = (exchange_class or load_exchange_class(name))(build_config(name, overrides))
    if endpoint.sandbox:
        if not exchange.urls.get("test"):
            raise ConfigurationError(f"exchange {name!r} has no test environment in ccxt: choose Production")
        exchange.set_sandbox_mode(True)
    urls = build_urls(endpoint)
    if urls:
        _point(exchange, name, urls)
    _lead(exchange, route or Route(endpoint))
    _listen(exchange)
    return exchange


def _listen(exchange: Any) -> None:
    """Let a message that ccxt cannot read break its stream, for whoever watches to begin anew: ccxt itself
    would read no further from the connection and tell nobody, for as long as pings are answered."""
    connect = exchange.client

    def client(url: str) -> Any:
        known = url in (exchange.clients or {})
        made = connect(url)
        if not known:
            made.handle_message = _telling(made)
        return made

    exchange.client = client


def _telling(client: Any) -> Callable[[Any], None]:
    handle = client.handle_message

    def tell(message: Any) -> None:
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001 - whatever the message was, the connection is read further
            client.reject(VenueError(f"unreadable message: {type(error).__name__}: {error}"))

    return tell


def _lead(exchange: Any, route: Route) -> None:
    """Let it make its connections over the route, for as long as it is open."""

    def change(gateway: Gateway | None) -> None:
        exchange.httpsProxy = exchange.wssProxy = gateway.url if gateway else None

    async def close(*arguments: Any, **options: Any) -> None:
        route.forget(change)
        await closed(*arguments, **options)

    if route.trust:
        exchange.ssl_context = route.trust
    route.follow(change)
    closed, exchange.close = exchange.close, close


def _point(exchange: Any, name: str, urls: Mapping[str, str]) -> None:
    if name not in BINANCE_PROTOCOL:
        raise ConfigurationError(
            f"the catalogue gives {name!r} its own addresses, which only Binance's protocol supports: "
            "remove rest, websocket and websocketApi from its endpoint"
        )
    api = exchange.urls["api"]
    if "rest" in urls:
        api["public"] = api["private"] = urls["rest"]
        for name in [name for name in api if name.startswith("sapi")]:
            # Their versions differ, their host may not: a key must not reach the real exchange.
            version = urlsplit(api[name]).path
            api[name] = urls["rest"].removesuffix("/api/v3") + version
    if "websocket" in urls:
        api["ws"]["spot"] = urls["websocket"]
    if "websocket_api" in urls:
        api["ws"]["ws-api"]["spot"] = urls["websocket_api"]


async def load_own_markets(
    exchange: Any, symbols: Collection[str], left: Collection[str] = ()
) -> dict[str, Any]:
    """Load and keep the given spot markets only, and those of `left` that there are; returns ccxt's market of
    each symbol.

    ConfigurationError names the symbols that the exchange does not list as spot, VenueError says that it
    could not be asked.
    """
    symbols = {*symbols, *left}
    markets = await _fetch_markets(exchange, symbols)
    wanted = set(symbols)
    own = {market["symbol"]: market for market in markets if market["spot"] and market["symbol"] in wanted}
    missing = sorted(wanted - own.keys() - set(left))
    if missing:
        raise ConfigurationError(
            f"{exchange.id} has no spot market {', '.join(missing)}: correct spec.markets"
        )
    exchange.set_markets(list(own.values()))
    del markets
    give_back()
    return own


async def find_market(exchange: Any, symbols: Sequence[str]) -> dict[str, Any] | None:
    """ccxt's market of the first of these symbols that is listed, not kept by `exchange`; None if none is.

    VenueError says that it could not be asked.
    """
    listed: list[Any] = []
    if exchange.id in BINANCE_PROTOCOL:
        for symbol in symbols:
            listed += await _fetch_few(exchange, [symbol]) or []
    else:
        listed = await _fetch_markets(exchange, symbols)
    found = {market["symbol"]: market for market in listed if market["spot"] and market["symbol"] in symbols}
    del listed
    give_back()
    return next((found[symbol] for symbol in symbols if symbol in found), None)


async def _fetch_markets(exchange: Any, symbols: Collection[str]) -> list[Any]:
    few = await _fetch_few(exchange, symbols) if exchange.id in BINANCE_PROTOCOL else None
    if few is not None:
        return few
    try:
        everything: list[Any] = await exchange.fetch_markets()
    except Exception as error:  # ccxt trips over garbled answers in ways of its own
        raise _unread(exchange, error) from error
    return everything


async def _fetch_few(exchange: Any, symbols: Collection[str]) -> list[Any] | None:
    """None if one of them has another identifier, or is not listed: the whole list tells."""
    from ccxt.base import errors

    identifiers = [symbol.replace("/", "") for symbol in sorted(symbols)]
    try:
        few: list[Any] = await exchange.fetch_markets({"symbols": msgspec.json.encode(identifiers).decode()})
    except (errors.BadSymbol, errors.BadRequest):
        return None
    except Exception as error:
        raise _unread(exchange, error) from error
    return few


def _unread(exchange: Any, error: Exception) -> VenueError:
    return VenueError(f"cannot load the markets of {exchange.id}: {error or type(error).__name__}")

"""The simulated exchange as one object in an asyncio loop.

    async with Simulator(SimulatorConfig(market="manual", users=[...])) as exchange:
        exchange.set_price("BTC/USDT", "60000")
        ...
        assert exchange.journal.fills("alice")

With `market="manual"` nothing moves but by `set_price`, `quote` and `trade`; with the default the tape runs.
"""

import asyncio
import contextlib
import secrets
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Any

from aiohttp import web

from smarttrade.errors import ConfigurationError
from smarttrade.matching import Account
from smarttrade.simulator.admin import Admin
from smarttrade.simulator.api_socket import ApiSocket
from smarttrade.simulator.clock import ExchangeClock
from smarttrade.simulator.config import SimulatorConfig, UserConfig, check_config
from smarttrade.simulator.connections import Connection, ping
from smarttrade.simulator.dispatch import Dispatcher
from smarttrade.simulator.faults import FaultPlan
from smarttrade.simulator.journal import Journal
from smarttrade.simulator.limits import Weights
from smarttrade.simulator.markets import build_setup
from smarttrade.simulator.publisher import Publisher
from smarttrade.simulator.pump import HEARTBEAT_MS, Pump, build_origin
from smarttrade.simulator.rest import RestEdge
from smarttrade.simulator.state import StateStore
from smarttrade.simulator.streams import MarketStreams
from smarttrade.simulator.tape import TapeQuote, TapeTrade
from smarttrade.simulator.users import User
from smarttrade.simulator.venue import Listeners, Venue

_DEFAULT_SIZE = Decimal(1000)
_BEATS_A_QUOTE = 10_000 // HEARTBEAT_MS
_BEATS_A_PING = 20_000 // HEARTBEAT_MS


class Simulator:
    """Started by `async with` or `start`/`stop`. URLs are known once it has started."""

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self.config = config or SimulatorConfig(market="manual")
        check_config(self.config)
        self.clock = ExchangeClock()
        self.faults = FaultPlan(self.config.seed)
        self.admin_token = self.config.admin_token or secrets.token_urlsafe(24)
        setup = build_setup(self.config)
        self._quiet = setup.quiet
        self.journal = Journal(self.config.journal)
        self.venue = Venue(setup.markets, self.clock, self.journal, self.faults, self.config.depth_levels)
        self.venue.order_counts.is_enforced = bool(self.config.weight_limit)
        self.dispatcher = Dispatcher(self.venue, Weights(self.config.weight_limit, self.clock.now_ms))
        self.streams = MarketStreams(self.venue)
        self.publisher = Publisher(self.venue, self.streams.subscriptions)
        self.api_socket = ApiSocket(self.dispatcher)
        self.state = StateStore(self.config.state, self.venue)
        origin = build_origin(self.clock.now_ms(), setup.history_ms, setup.unit_ms, self.config.compress)
        self.pump = Pump(self.venue, self.publisher, setup.tape, self.config.compress, origin)
        self.admin = Admin(self)
        self.rest_url = self.ws_url = self.admin_url = ""
        self._runners: list[web.AppRunner] = []
        self._task: asyncio.Task[None] | None = None
        self._beats = 0

    @property
    def websocket_api_url(self) -> str:
        return f"{self.ws_url}/ws-api/v3"

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Restore state, catch up with the tape's history, listen."""
        self.state.open()
        if self.config.market == "tape":
            self._number_above_earlier_runs()
        for user in self.config.users:
            if user.name not in self.venue.engine.accounts:
                self.venue.add_user(user)
        self.pump.fast_forward()
        self.venue.quote_quietly(self._quiet)
        self.venue.engine.take_events()
        user_streams = self.api_socket.streams
        self.venue.listeners = Listeners(
            self.publisher.on_trade,
            self.publisher.on_book,
            user_streams.on_execution,
            user_streams.on_balance,
            user_streams.on_list,
            user_streams.on_deposit,
        )
        port = await self._listen(build_public_app(self), self.config.host, self.config.port)
        self.rest_url, self.ws_url = f"http://{self.config.host}:{port}", f"ws://{self.config.host}:{port}"
        admin_port = await self._listen(
            self.admin.build_app(), self.config.admin_host, self.config.admin_port
        )
        self.admin_url = f"http://{self.config.admin_host}:{admin_port}"
        self.pump.on_beat += [self.state.save, self._on_beat]
        self._task = asyncio.create_task(self.pump.run(), name="market")

    def _number_above_earlier_runs(self) -> None:
        """Never give an id twice, also not after a restart without state: accounts remember what they saw.

        Milliseconds since 1970 grow faster than the ids, which are fewer than a thousand a second.
        """
        engine, first = self.venue.engine, self.clock.now_ms()
        engine.next_order_id = max(engine.next_order_id, first)
        for state in engine.markets.values():
            state.next_trade_id = max(state.next_trade_id, first)

    async def _listen(self, app: web.Application, host: str, port: int) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handle_signals=False)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, host, port)
        await site.start()
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening, save state, end every task."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.drop_websockets()
        await self.api_socket.close()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        self.state.close()
        self.journal.close()

    async def failed(self) -> None:
        """Wait until the market's task ends, which it never should; raises what ended it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def __aenter__(self) -> "Simulator":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- driving the market by hand -----------------------------------------------------------------

    def set_price(
        self, symbol: str, price: Decimal | str, size: Decimal | str = _DEFAULT_SIZE, trade: bool = True
    ) -> None:
        """Show `size` one tick around `price` and, unless told not to, let one small trade print there."""
        market = self.venue.by_symbol[symbol].market
        middle, tick = market.round_price(Decimal(price)), market.tick_units
        quantity = market.round_quantity(Decimal(size))
        self._apply(TapeQuote(0.0, symbol, middle - tick, quantity, middle + tick, quantity))
        if trade:
            self._apply(TapeTrade(0.0, symbol, middle, market.step_units, False))

    def suspend(self, symbol: str, suspended: bool = True) -> None:
        """Take no more orders in a market, or take them again."""
        data = self.venue.by_symbol[symbol]
        data.change(data.market, suspended=suspended)

    def change_rules(self, symbol: str, **rules: Any) -> None:
        """Give a market another tick_size, step_size, min_notional, ... from now on."""
        data = self.venue.by_symbol[symbol]
        data.change(replace(data.market, **rules), suspended=data.state.suspended)

    def quote(
        self,
        symbol: str,
        bid: Decimal | str,
        ask: Decimal | str,
        bid_size: Decimal | str = _DEFAULT_SIZE,
        ask_size: Decimal | str = _DEFAULT_SIZE,
    ) -> None:
        """Set the best bid and ask."""
        market = self.venue.by_symbol[symbol].market
        sizes = market.round_quantity(Decimal(bid_size)), market.round_quantity(Decimal(ask_size))
        prices = market.round_price(Decimal(bid)), market.round_price(Decimal(ask))
        self._apply(TapeQuote(0.0, symbol, prices[0], sizes[0], prices[1], sizes[1]))

    def trade(
        self, symbol: str, price: Decimal | str, quantity: Decimal | str, buyer_is_maker: bool = True
    ) -> None:
        """Let the market trade: with `buyer_is_maker` a seller hits the bids at `price`."""
        market = self.venue.by_symbol[symbol].market
        units = market.round_quantity(Decimal(quantity))
        self._apply(TapeTrade(0.0, symbol, market.round_price(Decimal(price)), units, buyer_is_maker))

    def _apply(self, event: TapeQuote | TapeTrade) -> None:
        now_ms = self.clock.now_ms()
        self.publisher.closed_candles(self.venue.by_symbol[event.symbol], now_ms)
        self.venue.apply(event, now_ms)

    # --- users and looks ----------------------------------------------------------------------------

    def add_user(self, config: UserConfig) -> User:
        return self.venue.add_user(config)

    def account(self, name: str) -> Account:
        return self.venue.engine.accounts[name]

    def balance(self, name: str, asset: str) -> tuple[Decimal, Decimal]:
        """(free, locked)."""
        return self.account(name).balance(asset)

    def bought(self, name: str, symbol: str) -> Decimal:
        """Net base quantity filled, by the journal: buys minus sells."""
        total = Decimal(0)
        for fill in self.journal.fills(name, symbol):
            sign = 1 if fill.side == "BUY" else -1
            total += sign * Decimal(fill.last_quantity)
        return total

    def remove_user(self, name: str) -> None:
        """Cancel what is open, forget the account, end its connections; ConfigurationError if unknown."""
        user = self._user(name)
        self.api_socket.forget_user(user)
        self.venue.remove_user(user)

    def replace_key(self, config: UserConfig) -> User:
        """Give a user another key; connections of the old one end."""
        user = self._user(config.name)
        newer = self.venue.replace_key(user, config)
        self.api_socket.forget_user(user)
        return newer

    def _user(self, name: str) -> User:
        user = self.venue.find_user(name)
        if user is None:
            raise ConfigurationError(f"no user {name!r}; `smarttrade simulator users list` shows all")
        return user

    # --- connections --------------------------------------------------------------------------------

    def websockets(self, user: str | None = None) -> list[Connection]:
        """Open websockets: all, or those that a user has logged on or subscribed with."""
        if user is not None:
            logged_on = {
                session.connection
                for session in self.api_socket.sessions
                if session.user is not None and session.user.name == user
            }
            return list(logged_on | self.api_socket.streams.connections(user))
        return [*self.streams.connections, *(s.connection for s in self.api_socket.sessions)]

    def drop_websockets(self, user: str | None = None) -> int:
        """Break websockets; returns how many."""
        connections = self.websockets(user)
        for connection in connections:
            connection.drop()
        return len(connections)

    def silence_websockets(self, silent: bool = True, user: str | None = None) -> int:
        """Let open websockets live on without a message (or speak again)."""
        connections = self.websockets(user)
        for connection in connections:
            connection.silent = silent
        return len(connections)

    def _on_beat(self) -> None:
        self._beats += 1
        if self._beats % _BEATS_A_QUOTE == 0:
            self.venue.quote_quietly(self._quiet)
        if self._beats % _BEATS_A_PING == 0:
            ready = ping(self.clock.now_ms())
            for connection in self.websockets():
                connection.write(ready)

    def skew(self, milliseconds: int) -> None:
        """Set the exchange clock ahead (or, negative, behind)."""
        self.clock.skew_ms = milliseconds


def build_public_app(simulator: Simulator) -> web.Application:
    """REST and websockets on one port."""
    rest = RestEdge(simulator.dispatcher)
    app = web.Application(client_max_size=1 << 20)
    app.router.add_get("/ws-api/v3", simulator.api_socket.serve)
    for path in ("/ws", "/ws/{tail:.*}", "/stream", "/stream/{tail:.*}"):
        app.router.add_get(path, simulator.streams.serve)
    for prefix in ("api", "sapi", "fapi", "dapi", "eapi"):
        app.router.add_route("*", f"/{prefix}/{{tail:.*}}", rest.serve)
    return app

"""The theatre of the component tests with everything made breakable.

Each pod reaches bus and exchange through proxies of its own. The market wanders, its depth varies and trades
print, until it is settled: then it stands still, so that what a run comes to rest at can be told exactly.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from smarttrade import messages
from smarttrade.api import TradingAccountSpec
from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection
from smarttrade.errors import BusError
from smarttrade.simulator.config import MarketConfig
from smarttrade.simulator.journal import JournalEntry
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.chaos.evidence import Evidence, Happened, Told
from tests.chaos.limits import LIMITS
from tests.chaos.market import TICK, Wandering
from tests.chaos.proxy import Proxy
from tests.chaos.recorder import Recorder
from tests.chaos.schedule import Schedule
from tests.chaos.servers import Servers
from tests.component.execution.theatre import Pod, Theatre, eventually
from tests.simulation.plan import MARKETS, PRICE

NAMES = ("a", "b")
_BEAT_S = 0.1
_VIEW_AGE_S = 1.5
# At the prices of the resting sets, and beyond them.
_PRINTS = ("0.995", "0.988", "0.985", "1.006", "1.015")
# Now and then one that reaches stops while the book stays where it is.
_SPIKE, _SPIKES = "0.965", 0.03


class Stage(Theatre):
    """Two replicas on the schedule's servers."""

    def __init__(self, schedule: Schedule, binary: Path, directory: Path) -> None:
        super().__init__(binary, directory, replicas=len(NAMES))
        self.schedule = schedule
        self.directory = directory
        self.traps = directory / "traps"
        self.ways: dict[str, tuple[list[Proxy], Proxy]] = {}
        self.expected_down: set[str] = set()
        self.restarts = 0
        self.evidence = Evidence()
        self.recorder = Recorder(self.evidence.log)
        self._told: dict[str, float] = {}
        self._draw = random.Random(f"market {schedule.seed}")
        self._moods = {market: Wandering(market, self._draw) for market in MARKETS}
        self._settled = False
        self._stamp_journal()

    @property
    def generation(self) -> int:
        """Of the specification that was written last."""
        return self._generation

    @staticmethod
    def build_exchange() -> Simulator:
        """Filters and fees as those of the simulated histories."""
        alice = build_test_user("alice", USDT="1000000", BTC="1000", ETH="1000")
        config = manual_config(alice, symbols=MARKETS, seed=1)
        config.markets = [
            MarketConfig(
                symbol=market,
                price=Decimal(PRICE[market]),
                tick_size=TICK,
                step_size=Decimal("0.001"),
                min_notional=Decimal(5),
            )
            for market in MARKETS
        ]
        return Simulator(config)

    def build_spec(self, **more: Any) -> TradingAccountSpec:
        """The limits that the judge knows."""
        return super().build_spec(**{**LIMITS, **more})

    def price(self, market: str, price: str) -> None:
        """The market goes its own way."""

    def _stamp_journal(self) -> None:
        """Note when each line is written: the journal's own times are those of a clock that is stepped."""
        journal, append = self.exchange.journal, self.exchange.journal.append

        def stamped(entry: JournalEntry) -> None:
            self.evidence.journal.append(Happened(entry, time.time() * 1000))
            append(entry)

        journal.append = stamped  # type: ignore[method-assign]

    async def _start_bus(self) -> None:
        self.traps.mkdir(parents=True)
        self.bus = await self._stack.enter_async_context(
            Servers(self.schedule.servers, self._keys, self._directory, self._binary)
        )
        self.bus_url = self.bus.url

    async def _provision(self, copies: int = 1) -> None:
        await eventually(self._provisioned, "the servers take the account in", 60)
        await self.recorder.start(self.bus_url, self._keys, self.identity, self.schedule.servers)
        self._stack.push_async_callback(self.recorder.close)
        for name in NAMES:
            buses = [await self._proxy(server.port) for server in self.bus.servers]
            exchange = await self._proxy(int(self.exchange.rest_url.rsplit(":", 1)[1]))
            self.ways[name] = (buses, exchange)

    async def _provisioned(self) -> bool:
        """A cluster that has just come up elects a leader before it makes a stream."""
        try:
            await super()._provision(self.schedule.servers)
        except BusError:
            return False
        return True

    async def _proxy(self, port: int) -> Proxy:
        return await self._stack.enter_async_context(Proxy(port))

    def _bus_of(self, pod: str) -> str:
        return ",".join(f"nats://127.0.0.1:{proxy.port}" for proxy in self.ways[pod][0])

    def _endpoint_of(self, pod: str) -> dict[str, str]:
        port = str(self.ways[pod][1].port)
        own = super()._endpoint_of(pod)
        return {key: url.replace(url.split(":")[2].split("/")[0], port) for key, url in own.items()}

    async def start(self, name: str, *, module: str = "tests.chaos.pod") -> Pod:
        return await super().start(name, module=module)

    def environment(self) -> dict[str, str]:
        return {
            "SMARTTRADE_CHAOS_TRAPS": str(self.traps),
            "SMARTTRADE_CHAOS_HOLD_MS": str(self.schedule.hold_ms),
        }

    # --- who leads ---

    async def _on_view(self, message: Any) -> None:
        await super()._on_view(message)
        self._told[message.subject.split(".")[1]] = time.monotonic()

    async def _on_report(self, token: str, role: str, report: Any) -> None:
        if isinstance(report, messages.ExecutionReport):
            self.evidence.told.append(Told(report, time.time() * 1000))

    def alive(self, name: str) -> bool:
        return self.pods[name].process.returncode is None

    def leading(self) -> str | None:
        """The pod that said last, and not long ago, that it leads."""
        told = [
            (at, name)
            for name, at in self._told.items()
            if self.alive(name) and self.views[name].leading and time.monotonic() - at < _VIEW_AGE_S
        ]
        return max(told)[1] if told else None

    # --- the market, as monitoring tells of it ---

    async def _publish_market(self) -> None:
        sequence = 0
        while True:
            sequence += 1
            for market in MARKETS:
                self._show(market)
            for pod in list(self.pods):
                if pod not in self.blind:
                    await self._publish_quotes(self.monitoring, pod, sequence)
                if pod not in self.hung and pod not in self.blind:
                    await self._publish_pulse(pod)
            await asyncio.sleep(_BEAT_S)

    def middle(self, market: str) -> Decimal:
        """The price that the market is at."""
        return PRICE[market] * self._moods[market].level

    def settle(self) -> None:
        """The market stands still from here, with the last trade at its price."""
        self._settled = True
        for market, mood in self._moods.items():
            mood.settle()
            self._show(market)
            self.exchange.trade(market, self.middle(market), "0.1")

    def _show(self, market: str) -> None:
        """Move, and vary the depth, so that orders fill in parts; let small trades fill what rests."""
        mood, depth = self._moods[market], ("1000", "1000", "1000", "1.5", "0.4")
        moved = not self._settled and mood.step()
        quote = mood.quote(0)
        size = depth[0] if self._settled else self._draw.choice(depth)
        self.exchange.quote(market, quote.bid, quote.ask, size, size)
        if self._settled:
            return
        if moved:
            self.exchange.trade(market, quote.bid, "0.1")
        if self._draw.random() < 0.15:
            self._print(market, self._draw.choice(_PRINTS), self._draw.choice(("0.1", "0.3", "5")))
        if self._draw.random() < _SPIKES:
            self._print(market, _SPIKE, "0.1")

    def _print(self, market: str, factor: str, amount: str) -> None:
        price = (self.middle(market) * Decimal(factor)).quantize(TICK)
        self.exchange.trade(market, price, amount, buyer_is_maker=Decimal(factor) < 1)

    async def _publish_quotes(self, nc: Connection, pod: str, sequence: int) -> None:
        now = self.exchange.clock.now_ms()
        events: list[messages.MarketEvent] = [mood.quote(now) for mood in self._moods.values()]
        batch = messages.MarketBatch(feed="chaos", seq=sequence, events=events)
        with contextlib.suppress(NatsError):
            await nc.publish(subjects.market(pod, "quote"), messages.encode(batch))

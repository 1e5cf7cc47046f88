"""One account as it runs: three real processes, a real nats-server and the simulated exchange moved by hand.

The test moves the market and knows when: what it did is a recording that a backtest can be driven by. In
lock-step it moves on only when the account has carried out what it decided on the candle before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from smarttrade.api import RISK_ACKNOWLEDGEMENT, TradingAccount
from smarttrade.api.load import parse_account
from smarttrade.backtest.agreement import Done, build_done
from smarttrade.bus import subjects
from smarttrade.execution.keys import ORDERS_KEY
from smarttrade.identity import decision_id
from smarttrade.messages import (
    Candle,
    Decision,
    DecisionOutcome,
    Fill,
    MarketBatch,
    Quote,
    StrategyVersion,
    Trade,
    decode,
)
from smarttrade.simulator.recorded import RecordedQuote, RecordedTrade, Recording
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.component.monitoring.pod import IDENTITY, Bus

MARKET, POD = "BTC/USDT", "alice-0"
SECOND_MS = 1000
PATIENCE_S = 40.0
_TICK, _SIZE = Decimal("0.01"), Decimal(1000)
_ROLES = ("monitoring", "evaluation", "execution")


CROSS = {
    "name": "ma-cross",
    "timeframe": "1s",
    "parameters": {"fast": 2, "slow": 4, "kind": "sma", "fraction": "0.5"},
}
"""Long while the mean of two seconds is above that of four."""


def build_account(strategy: dict[str, Any] = CROSS, replicas: int = 1) -> TradingAccount:
    """One account on one market, Live on the simulated exchange."""
    return parse_account(
        {
            "apiVersion": "smarttrade.io/v1alpha1",
            "kind": "TradingAccount",
            "metadata": {"name": IDENTITY.name, "namespace": IDENTITY.namespace},
            "spec": {
                "mode": "Live",
                "riskAcknowledgement": RISK_ACKNOWLEDGEMENT,
                "exchange": {
                    "name": "binance",
                    "environment": "Simulator",
                    "credentialsSecretRef": {"name": "alice-binance"},
                },
                "markets": [{"symbol": MARKET}],
                "strategy": strategy,
                "capital": {"currency": "USDT", "allocation": "10000"},
                "risk": {
                    "maxOrderNotional": "9000",
                    "maxPositionNotional": "9000",
                    "maxDailyLoss": "5000",
                    "maxDrawdown": "0.9",
                    "maxOrdersPerMinute": 600,
                },
                "replicas": replicas,
            },
        }
    )


class Running:
    """Everything that one account needs, started and stopped by `run_account`."""

    def __init__(
        self,
        bus: Bus,
        exchange: Simulator,
        directory: Path,
        account: TradingAccount,
        strategy: StrategyVersion | None = None,
    ) -> None:
        self.bus, self.exchange, self._directory, self._account = bus, exchange, directory, account
        self._strategy = strategy
        self.fills: list[Fill] = []
        self.outcomes: dict[str, DecisionOutcome] = {}
        self.decisions: list[Decision] = []
        self.journal: list[Trade | Quote | Candle] = []
        self.moved: list[tuple[int, Decimal]] = []
        self.processes: dict[tuple[str, str], asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        listener = await self.bus.connect("evaluation")
        await listener.subscribe("fill.>", cb=self._on_news)
        await listener.subscribe(subjects.market(POD, "*"), cb=self._on_market)
        await listener.flush()
        beside = await self.bus.connect("execution")
        await beside.subscribe("decide.>", cb=self._on_decision)
        await beside.flush()
        await self.control(1, self._strategy)
        await self.start_pod(POD)

    async def control(self, generation: int, strategy: StrategyVersion | None = None) -> None:
        spec = self._account.spec.model_dump(mode="json", by_alias=True)
        if strategy:
            spec["strategy"]["source"]["configMapRef"]["name"] = strategy.origin
        await self.bus.control(generation, spec, strategy)

    async def start_pod(self, pod: str) -> None:
        for role in _ROLES:
            await self.spawn(pod, role)

    async def kill(self, pod: str, *roles: str) -> None:
        """Without a farewell; all of the pod's containers if none is named."""
        for role in roles or _ROLES:
            process = self.processes.pop((pod, role))
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def spawn(self, pod: str, role: str) -> None:
        keys = self._directory / "keys"
        keys.mkdir(exist_ok=True)
        (keys / "apiKey").write_text("alice-key")
        (keys / "secret").write_text("alice-secret")
        credentials = self._directory / f"{role}.creds"
        credentials.write_text(self.bus.pair.credentials[role])
        (self._directory / ORDERS_KEY).write_text(self.bus.pair.order_key)
        endpoint = {
            "rest": self.exchange.rest_url,
            "websocket": self.exchange.ws_url,
            "websocketApi": self.exchange.websocket_api_url,
        }
        environment = {
            **os.environ,
            "SMARTTRADE_INSTALLATION": IDENTITY.installation,
            "SMARTTRADE_NAMESPACE": IDENTITY.namespace,
            "SMARTTRADE_ACCOUNT": IDENTITY.name,
            "SMARTTRADE_POD": pod,
            "SMARTTRADE_NATS_URL": self.bus.server.url,
            "SMARTTRADE_NATS_CREDENTIALS": str(credentials),
            "SMARTTRADE_ENDPOINT": json.dumps(endpoint),
            "SMARTTRADE_EXCHANGE_CREDENTIALS": str(keys),
            "SMARTTRADE_PORT": "0",
            "SMARTTRADE_HOST": "127.0.0.1",
            "SMARTTRADE_REPLICAS": str(self._account.spec.replicas),
        }
        with self.log(pod, role).open("ab") as sink:
            self.processes[pod, role] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"smarttrade.{role}", env=environment, stdout=sink, stderr=sink
            )

    def log(self, pod: str, role: str) -> Path:
        return self._directory / f"{pod}-{role}.log"

    async def stop(self) -> None:
        for pod, role in list(self.processes):
            await self.kill(pod, role)

    # --- the market ---

    def move(self, price: Decimal) -> None:
        """One quote a tick around the price, and one small trade at it."""
        self.moved.append((self.exchange.clock.now_ms(), price))
        self.exchange.set_price(MARKET, price)

    async def second(self, after_ms: int) -> int:
        """Wait for the next whole second of exchange time plus a little; that second."""
        now_ms = self.exchange.clock.now_ms()
        begins_ms = (now_ms // SECOND_MS + 1) * SECOND_MS
        await asyncio.sleep((begins_ms + after_ms - now_ms) / 1000)
        return begins_ms

    async def decided(self, open_ms: int) -> DecisionOutcome:
        """The outcome of what was decided on the candle of one second."""
        key = decision_id(IDENTITY, "ma-cross", MARKET, f"1s:{open_ms}", 0)
        await self.until(lambda: key in self.outcomes, f"an outcome on the candle of {open_ms}")
        return self.outcomes[key]

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}\n{self._logs()}") from None

    # --- what became of it ---

    @property
    def done(self) -> list[Done]:
        return build_done(self.fills)

    def moves(self) -> Recording:
        """What the test did, as a recording."""
        trades = [RecordedTrade(at_ms, price, Decimal("0.00001"), False) for at_ms, price in self.moved]
        quotes = [
            RecordedQuote(at_ms, price - _TICK, _SIZE, price + _TICK, _SIZE) for at_ms, price in self.moved
        ]
        return Recording([], trades, quotes)

    async def _on_decision(self, message: Any) -> None:
        decision = decode(message.data, Decision)
        if all(decision.id != known.id for known in self.decisions):
            self.decisions.append(decision)

    async def _on_news(self, message: Any) -> None:
        news = decode(message.data, Fill | DecisionOutcome)
        if isinstance(news, Fill):
            self.fills.append(news)
        else:
            self.outcomes[news.id] = news

    async def _on_market(self, message: Any) -> None:
        for event in decode(message.data, MarketBatch).events:
            if isinstance(event, Trade | Quote | Candle):
                self.journal.append(event)

    def _logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self._directory.glob("*.log"))
        )


@contextlib.asynccontextmanager
async def run_account(
    bus: Bus,
    directory: Path,
    price: Decimal,
    account: TradingAccount | None = None,
    strategy: StrategyVersion | None = None,
) -> AsyncIterator[Running]:
    """The account, from its processes' start to their end, on a market that stands at a price."""
    alice = build_test_user("alice", USDT="10000")
    async with Simulator(manual_config(alice, symbols=(MARKET,), seed=1)) as exchange:
        running = Running(bus, exchange, directory, account or build_account(), strategy)
        running.move(price)
        try:
            await running.start()
            yield running
        finally:
            await running.stop()

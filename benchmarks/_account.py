"""One account for the benchmarks: real nats-server, real execution processes, the simulated exchange.

Built on the component tests' theatre. The market stands still and is deep, so that every order fills at
once; what monitoring says is one feed without gaps, so that a real evaluation may follow it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cluster import binaries
from cluster.processes import die_with_parent
from smarttrade import messages
from smarttrade.bus import subjects
from smarttrade.identity import decision_id
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.chaos.proxy import Proxy
from tests.component.execution.theatre import Theatre

MARKET = "BTC/USDT"
WEIGHT_A_MINUTE = 10_000_000
PRICE = Decimal(100)
REFERENCE = "bare"
"""Another user of the exchange, for what trades beside the account without being it."""
_BEAT_S = 0.25
_FEED = "bench"
_ASK_S = 2.0


class Account(Theatre):
    """`replicas` execution processes that trade `symbols`; each reaches the exchange by a proxy of its own
    where `proxied`, which costs time on the way."""

    def __init__(
        self,
        directory: Path,
        *,
        symbols: Sequence[str] = (MARKET,),
        replicas: int = 1,
        proxied: bool = False,
    ) -> None:
        super().__init__(binaries.ensure("nats-server"), directory, replicas=replicas)
        self.directory = directory
        self.symbols = list(symbols)
        self.outcome_count = 0
        coins = {symbol.partition("/")[0]: "100000" for symbol in symbols}
        users = [build_test_user(name, USDT="100000000", **coins) for name in ("alice", REFERENCE)]
        self.exchange = Simulator(manual_config(*users, symbols=tuple(symbols), seed=1))
        self.ways: dict[str, Proxy] = {}
        self._proxied = proxied
        self.strategy: messages.StrategyVersion | None = None
        self._seq = 0
        self._ended: dict[str, asyncio.Future[messages.DecisionOutcome]] = {}

    # --- what the theatre asks of a stage ---

    def price(self, market: str, price: str) -> None:
        """The market is shown by `_publish_market`."""

    async def start(self, name: str, *, module: str = "smarttrade.execution") -> Any:
        if self._proxied and name not in self.ways:
            port = int(self.exchange.rest_url.rsplit(":", 1)[1])
            self.ways[name] = await self._stack.enter_async_context(Proxy(port))
        return await super().start(name, module=module)

    def _endpoint_of(self, pod: str) -> dict[str, Any]:
        """The whole of what the exchange takes is the account's: its own speed is measured, not its share."""
        urls = super()._endpoint_of(pod)
        if self._proxied:
            port = self.exchange.rest_url.rsplit(":", 1)[1]
            urls = {key: url.replace(port, str(self.ways[pod].port)) for key, url in urls.items()}
        return urls | {"requestWeight": WEIGHT_A_MINUTE}

    async def open(self, **spec: Any) -> None:
        """Write the specification: limits that are out of the way."""
        declared: dict[str, Any] = {
            "markets": [{"symbol": symbol} for symbol in self.symbols],
            "capital": {
                "currency": "USDT",
                "allocation": "10000000",
                "maxOpenPositions": len(self.symbols),
            },
            "risk": {
                "maxOrderNotional": "100000",
                "maxPositionNotional": "10000000",
                "maxDailyLoss": "5000000",
                "maxDrawdown": "0.9",
                "maxOrdersPerMinute": 6_000,
                "maxOpenOrders": 200,
            },
            **spec,
        }
        self.spec = self.build_spec(**declared).model_dump(mode="json", by_alias=True)
        await self.control(**declared)

    # --- monitoring ---

    async def _publish_market(self) -> None:
        for symbol in self.symbols:
            self.exchange.set_price(symbol, PRICE, size="90000")
        while True:
            await self._refresh()
            await asyncio.sleep(_BEAT_S)

    async def _refresh(self) -> None:
        now = self.exchange.clock.now_ms()
        for symbol in self.symbols:
            self.exchange.quote(symbol, PRICE - _TICK, PRICE + _TICK, "90000", "90000")
        for pod in list(self.pods):
            quotes: list[messages.MarketEvent] = [build_quote(symbol, now) for symbol in self.symbols]
            await self.tell(pod, "quote", *quotes)
            pulse = messages.StreamStatus(
                market="", stream="evaluation", verdict=messages.Verdict.FRESH, since_ms=0
            )
            await self.tell(pod, "status", pulse)

    async def tell(self, pod: str, kind: str, *events: messages.MarketEvent) -> None:
        """Publish one batch of the pod's feed."""
        self._seq += 1
        batch = messages.MarketBatch(feed=_FEED, seq=self._seq, events=list(events))
        await self.monitoring.publish(subjects.market(pod, kind), messages.encode(batch))

    async def serve_history(self, pod: str) -> None:
        """Answer what a real evaluation asks of its monitoring: no history, and where the feed stands."""

        async def asked(message: Any) -> None:
            request: Any = messages.decode(message.data, messages.ServiceRequest)
            answer: Any = messages.HistoryReply(candles=[])
            if isinstance(request, messages.DescribeRequest):
                answer = messages.DescribeReply(
                    generation=self._generation,
                    spec=self.spec,
                    feed=_FEED,
                    seq=self._seq,
                    strategy=self.strategy,
                )
            await message.respond(messages.encode(answer))

        await self.monitoring.subscribe(subjects.history(pod), cb=asked)
        await self.monitoring.flush()

    def pod_environment(self, pod: str) -> dict[str, str]:
        """What the other containers of a pod find in their environment."""
        return {
            "SMARTTRADE_INSTALLATION": self.identity.installation,
            "SMARTTRADE_NAMESPACE": self.identity.namespace,
            "SMARTTRADE_ACCOUNT": self.identity.name,
            "SMARTTRADE_POD": pod,
            "SMARTTRADE_NATS_URL": self.bus_url,
            "SMARTTRADE_PORT": "0",
            "SMARTTRADE_HOST": "127.0.0.1",
        }

    # --- evaluation ---

    async def decide(self, pod: str, market: str, quantity: str) -> str | None:
        """Ask one pod once; the decision's id if it accepted."""
        decision = self._decision(market, quantity)
        self._ended[decision.id] = asyncio.get_running_loop().create_future()
        reply = await self.evaluation.request(subjects.decide(pod), messages.encode(decision), timeout=_ASK_S)
        answer: messages.DecisionReply = messages.decode(reply.data, messages.DecisionReply)
        return decision.id if answer.answer is messages.Answer.ACCEPTED else None

    async def ended(self, decision: str) -> messages.DecisionOutcome:
        """How a decision ended, when it has."""
        outcome = await self._ended[decision]
        del self._ended[decision]
        return outcome

    async def _on_news(self, message: Any) -> None:
        news: messages.Fill | messages.DecisionOutcome = messages.decode(
            message.data, messages.Fill | messages.DecisionOutcome
        )
        if isinstance(news, messages.DecisionOutcome):
            self.outcome_count += 1
            waiting = self._ended.get(news.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(news)

    def _decision(self, market: str, quantity: str) -> messages.Decision:
        self._event += 1
        key, now = f"1s:{self._event}", self.exchange.clock.now_ms()
        return messages.Decision(
            id=decision_id(self.identity, "bench", market, key, 0),
            strategy="bench",
            market=market,
            event_key=key,
            event_time_ms=now,
            event_ordinal=self._event,
            index=0,
            generation=1,
            want=messages.Target(quantity=Decimal(quantity), valid_until_ms=now + 600_000),
        )


_TICK = Decimal("0.01")


def build_quote(market: str, time_ms: int) -> messages.Quote:
    size = Decimal(90_000)
    return messages.Quote(
        market=market,
        bid=PRICE - _TICK,
        bid_quantity=size,
        ask=PRICE + _TICK,
        ask_quantity=size,
        time_ms=time_ms,
    )


@contextlib.asynccontextmanager
async def opened(names: Sequence[str], **options: Any) -> AsyncIterator[Account]:
    """An account whose pods run, one of which leads."""
    with tempfile.TemporaryDirectory() as folder:
        async with Account(Path(folder), replicas=len(names), **options) as account:
            await account.open()
            for name in names:
                await account.start(name)
            await account.leader()
            yield account


async def spawn(module: str, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """A helper process of a benchmark, which does not outlive it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        env={**os.environ, **environment},
        preexec_fn=die_with_parent,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def load_note() -> str:
    """What else the machine was doing, for the figures' sake."""
    return f"load {os.getloadavg()[0]:.1f} at {time.strftime('%H:%M', time.gmtime())} UTC"

"""Decides as a strategy would, one market beside the other, and offers each decision until it is accepted.

What became of a decision is read from the log, never from here: an answer that did not come proves nothing.
Every tenth decision is offered again later, to any pod, as a strategy that restarts does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from decimal import Decimal
from typing import Any

from nats.errors import Error as NatsError

from smarttrade import messages
from smarttrade.bus import subjects
from smarttrade.errors import BusError
from smarttrade.identity import decision_id
from smarttrade.messages import Answer, Decision, OrderStyle, RestingOrder, RestingOrders, Side, Target
from tests.chaos.market import TICK
from tests.chaos.stage import NAMES, Stage
from tests.simulation.plan import MARKETS, PRICE

STRATEGY = "chaos"
_HUNDREDTHS = (0, 0, 50, 100, 150, 200, 300, 400, 450, 700)
# How far away a target's stop and profit are, and the distance of its trailing stop, in hundredths.
_GUARDS = ((2, 0, 0), (3, 0, 0), (5, 0, 0), (3, 2, 0), (5, 4, 0), (0, 2, 0), (0, 0, 2), (0, 0, 4), (5, 4, 3))
_GUARDED = 0.6
Guard = tuple[int, int, int]
NONE: Guard = (0, 0, 0)
_RESTING = (("b1", Side.BUY, -50), ("b2", Side.BUY, -120), ("s1", Side.SELL, 60))
_ASK_S = 0.5
_VALID_MS = 600_000


class Trading:
    """`decisions` is what was offered, by id and in order; `answered` are those that were accepted."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._draw = random.Random(f"trading {stage.schedule.seed}")
        self.decisions = stage.evidence.decisions
        self.answered = stage.evidence.answered
        self.over = False
        self._ordinal = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._trade(market)) for market in MARKETS]

    async def stop(self) -> None:
        self.over = True
        await asyncio.gather(*self._tasks)

    async def say(self, wanted: dict[str, tuple[int, Guard]]) -> dict[str, Decision]:
        """One marketable target in every market, each accepted."""
        last = {
            market: self._decide(market, self._target(market, hundredths, guard=guard))
            for market, (hundredths, guard) in wanted.items()
        }
        for decision in last.values():
            await self._offer(decision, time.monotonic() + 60)
        return last

    async def _trade(self, market: str) -> None:
        while not self.over:
            decision = self._decide(market, self._want(market))
            patience_s = self._draw.choice((0.3, 1.0, 3.0, 10.0))
            await self._offer(decision, time.monotonic() + patience_s)
            if self._draw.random() < 0.1:
                await self._ask(self._draw.choice(NAMES), self._draw.choice(list(self.decisions.values())))
            await asyncio.sleep(self._draw.choice((0.05, 0.1, 0.3, 0.6, 1.0)))

    def _decide(self, market: str, want: Target | RestingOrders) -> Decision:
        self._ordinal += 1
        time_ms = int(time.time() * 1000)
        key = f"1m:{time_ms}:{self._ordinal}"
        decision = Decision(
            id=decision_id(self._stage.identity, STRATEGY, market, key, 0),
            strategy=STRATEGY,
            market=market,
            event_key=key,
            event_time_ms=time_ms,
            event_ordinal=self._ordinal,
            index=0,
            generation=1,
            want=want,
        )
        self.decisions[decision.id] = decision
        return decision

    def _want(self, market: str) -> Target | RestingOrders:
        if self._draw.random() < 0.2:
            return self._resting(market)
        style = OrderStyle.PASSIVE if self._draw.random() < 0.15 else OrderStyle.MARKETABLE
        guard = self._draw.choice(_GUARDS) if self._draw.random() < _GUARDED else NONE
        return self._target(market, self._draw.choice(_HUNDREDTHS), style, guard)

    def _target(
        self,
        market: str,
        hundredths: int,
        style: OrderStyle = OrderStyle.MARKETABLE,
        guard: Guard = NONE,
    ) -> Target:
        """Stop and profit are measured from where the market is now; it may be elsewhere when they rest."""
        stop, profit, trailing = guard
        return Target(
            quantity=Decimal(hundredths) / PRICE[market],
            style=style,
            valid_until_ms=self._until(),
            stop_loss=self._away(market, -stop),
            take_profit=self._away(market, profit),
            trailing_stop=Decimal(trailing) / 100 if trailing else None,
        )

    def _away(self, market: str, hundredths: int) -> Decimal | None:
        price = self._stage.middle(market) * (1 + Decimal(hundredths) / 100)
        return price.quantize(TICK) if hundredths else None

    def _resting(self, market: str) -> RestingOrders:
        chosen = self._draw.sample(_RESTING, self._draw.randint(0, len(_RESTING)))
        orders = [
            RestingOrder(
                key=key,
                side=side,
                price=self._stage.middle(market)
                * (1 + Decimal(offset + self._draw.choice((0, 0, 30))) / 10_000),
                quantity=Decimal(self._draw.choice((20, 40))) / PRICE[market],
            )
            for key, side, offset in chosen
        ]
        return RestingOrders(orders=orders, valid_until_ms=self._until())

    def _until(self) -> int:
        return self._stage.exchange.clock.now_ms() + _VALID_MS

    async def _offer(self, decision: Decision, until: float) -> None:
        """Ask every living pod in turn, the leader first, until one has accepted or time is up."""
        while time.monotonic() < until:
            leader = self._stage.leading()
            for name in sorted(NAMES, key=lambda name: name != leader):
                if self._stage.alive(name) and await self._ask(name, decision):
                    return
            await asyncio.sleep(0.05)

    async def _ask(self, pod: str, decision: Decision) -> bool:
        """True when there is nothing more to ask: accepted, or superseded."""
        reply: Any = None
        with contextlib.suppress(NatsError, BusError, TimeoutError):
            answer = await self._stage.evaluation.request(
                subjects.decide(pod), messages.encode(decision), timeout=_ASK_S
            )
            reply = messages.decode(answer.data, messages.DecisionReply)
        if reply is None:
            return False
        if reply.answer is Answer.ACCEPTED:
            self.answered.add(decision.id)
        return reply.answer is not Answer.DENIED

"""A decision is asked until it is answered, superseded, or no longer wanted."""

import asyncio
from decimal import Decimal

from smarttrade.errors import BusError
from smarttrade.evaluation.outbox import Outbox
from smarttrade.messages import Answer, Decision, DecisionReply, Target


def decision(number: int, market: str = "BTC/USDT") -> Decision:
    return Decision(
        id=f"{market}-{number}",
        strategy="s",
        market=market,
        event_key=str(number),
        event_time_ms=number,
        event_ordinal=0,
        index=0,
        generation=1,
        want=Target(quantity=Decimal(number), valid_until_ms=60_000),
    )


class Execution:
    """Answers, unless told to be silent for the next requests."""

    def __init__(self, silent: int = 0) -> None:
        self.asked: list[str] = []
        self.silent = silent
        self.leading = True
        self.answers: list[tuple[str, str]] = []
        self.hold: asyncio.Event | None = None
        self.outbox = Outbox(self._send, lambda: self.leading, self._answered)

    async def _send(self, decision: Decision) -> DecisionReply:
        self.asked.append(decision.id)
        if self.hold:
            await self.hold.wait()
        if self.silent:
            self.silent -= 1
            raise BusError("no answer")
        return DecisionReply(id=decision.id, answer=Answer.ACCEPTED)

    def _answered(self, decision: Decision, answer: str, _: float) -> None:
        self.answers.append((decision.id, answer))


async def test_a_request_without_an_answer_is_repeated_with_the_same_id() -> None:
    execution = Execution(silent=2)
    execution.outbox.offer(decision(1), 0)
    await execution.outbox.settle()
    assert execution.asked == ["BTC/USDT-1"] * 3
    assert execution.answers == [("BTC/USDT-1", "Accepted")]


async def test_the_newest_of_a_market_takes_the_place_of_those_that_wait() -> None:
    execution = Execution()
    execution.hold = asyncio.Event()
    execution.outbox.offer(decision(1), 0)
    await asyncio.sleep(0)
    for number in (2, 3):
        execution.outbox.offer(decision(number), 0)
    execution.hold.set()
    await execution.outbox.settle()
    assert execution.asked == ["BTC/USDT-1", "BTC/USDT-3"]


async def test_markets_do_not_wait_for_each_other() -> None:
    execution = Execution()
    execution.hold = asyncio.Event()
    execution.outbox.offer(decision(1), 0)
    execution.outbox.offer(decision(1, "ETH/USDT"), 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sorted(execution.asked) == ["BTC/USDT-1", "ETH/USDT-1"]
    execution.hold.set()
    await execution.outbox.settle()


async def test_a_pod_that_lost_the_lead_asks_no_more() -> None:
    execution = Execution(silent=1_000)
    execution.outbox.offer(decision(1), 0)
    await asyncio.sleep(0)
    assert execution.asked == ["BTC/USDT-1"]
    execution.leading = False
    await execution.outbox.settle()
    assert execution.answers == [("BTC/USDT-1", "Unanswered")]

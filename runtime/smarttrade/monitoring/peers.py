"""The copy that another pod's monitoring has of trades that this one missed.

Every pod listens to the exchange on a connection of its own, so what one of them missed another has nearly
always seen, and says so within a millisecond or two. A pod answers only with all the trades asked for: the
first answer is then a whole one, however many pods there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from nats.errors import Error as NatsError

from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection
from smarttrade.errors import BusError
from smarttrade.messages import PeerTrades, PeerTradesRequest, Trade, decode, encode

logger = structlog.get_logger()

Copy = Callable[[str, int, int], Coroutine[Any, Any, list[Trade]]]
"""The trades of one market from one id to another; empty without an answer."""

_MOST = 2_000  # what fits into one message
_ANSWER_S = 0.2


class Peers:
    """Asks the other pods of the account, and answers them."""

    def __init__(self, pod: str) -> None:
        self._pod = pod
        self._nc: Connection | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def serve(self, nc: Connection, own: Copy) -> None:
        """Answer from `own`, and be able to ask."""

        async def asked(message: Any) -> None:  # in a task, as a copy may have to be waited for
            task = asyncio.create_task(self._answer(message, own))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

        self._nc = nc
        await nc.subscribe(subjects.PEER_TRADES, cb=asked)

    async def ask(self, market: str, first: int, last: int) -> list[Trade]:
        """Another pod's copy of the trades with ids `first` to `last`, or nothing."""
        if self._nc is None or last - first >= _MOST:
            return []
        request = PeerTradesRequest(pod=self._pod, market=market, first=first, last=last)
        try:
            reply = await self._nc.request(subjects.PEER_TRADES, encode(request), timeout=_ANSWER_S)
            copy: PeerTrades = decode(reply.data, PeerTrades)
        except (NatsError, TimeoutError, OSError, BusError) as error:
            logger.debug("no copy of missing trades", market=market, error=str(error) or type(error).__name__)
            return []
        wanted = {str(number) for number in range(first, last + 1)}
        return [trade for trade in copy.trades if trade.market == market and trade.id in wanted]

    async def _answer(self, message: Any, own: Copy) -> None:
        try:
            request: PeerTradesRequest = decode(message.data, PeerTradesRequest)
            if request.pod == self._pod or not 0 <= request.last - request.first < _MOST:
                return
            trades = await asyncio.wait_for(own(request.market, request.first, request.last), _ANSWER_S)
            if trades:
                await message.respond(encode(PeerTrades(trades=trades)))
        except TimeoutError:
            logger.debug("missing trades did not come here either")
        except (NatsError, OSError, BusError) as error:
            logger.warning("a peer's question is not answered", error=str(error) or type(error).__name__)

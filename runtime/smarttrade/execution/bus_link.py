"""What execution hears and says on the bus.

Publishing goes through one queue, so that evaluation sees fills and views in the order in which they came to
be. Nothing is kept for a subscriber that is away: views are repeated every second, reports every five.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from smarttrade import messages
from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection
from smarttrade.errors import BusError
from smarttrade.execution import effects as fx

_ROLE = "execution"
_MONITORING, _EVALUATION = "monitoring", "evaluation"
_SILENT_MS, _PATIENCE_MS = 5_000.0, 30_000.0
_BAD = (messages.Verdict.STALE, messages.Verdict.BROKEN)


class BusLink:
    """Subscriptions into inputs; replies and publications out."""

    def __init__(
        self, nc: Connection, pod: str, feed: Callable[[fx.Input], None], now_ms: Callable[[], float]
    ) -> None:
        self._nc = nc
        self._pod = pod
        self._feed = feed
        self._outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._waiting: dict[int, tuple[Msg, str]] = {}
        self._token = 0
        self._verdicts: dict[str, dict[str, bool]] = {}
        self._logger = structlog.get_logger()
        self._now_ms = now_ms
        self._silent_from_ms = dict.fromkeys((_MONITORING, _EVALUATION), now_ms() + _PATIENCE_MS)
        self._on_market: Callable[[messages.MarketEvent], None] | None = None
        self._narrow: list[Subscription] = []

    def silent(self) -> str:
        """Which of the pod's other containers says nothing; empty if both are heard. One that starts has more
        time than one that has spoken before."""
        now_ms = self._now_ms()
        return next((name for name, from_ms in self._silent_from_ms.items() if now_ms > from_ms), "")

    async def start(self) -> None:
        await self._nc.subscribe(subjects.decide(self._pod), cb=self._decide)
        for kind in ("quote", "status"):
            subject = subjects.market(self._pod, kind)
            self._narrow.append(await self._nc.subscribe(subject, cb=self._market))

    async def hear_market(self, listener: Callable[[messages.MarketEvent], None]) -> None:
        """Every event from now on, in monitoring's order. Without a listener trades are not even decoded:
        a market has hundreds of them for every quote that matters here."""
        self._on_market = listener
        await self._nc.subscribe(subjects.market(self._pod, "*"), cb=self._market)
        narrow, self._narrow = self._narrow, []
        for subscription in narrow:
            await subscription.unsubscribe()

    async def run(self) -> None:
        """Publish what is queued, in order, for good."""
        while True:
            subject, payload = await self._outgoing.get()
            try:
                await self._nc.publish(subject, payload)
            except Exception as error:  # noqa: BLE001  the library's many; each message is repeated or in the log
                self._logger.debug("not published", subject=subject, reason=str(error))

    def perform(self, effect: fx.Effect) -> bool:
        """Queue a reply or a publication; False if the effect is none."""
        if isinstance(effect, fx.Reply):
            message, _ = self._waiting.pop(effect.token, (None, ""))
            if message is not None and message.reply:
                self._outgoing.put_nowait((message.reply, messages.encode(effect.reply)))
            return True
        if isinstance(effect, fx.Publish):
            self._outgoing.put_nowait((self._subject(effect), messages.encode(effect.message)))
            return True
        return False

    def abandon(self) -> None:
        """The lead is gone: whoever waits for an answer is told so; the log knows what became of it."""
        for message, decision in self._waiting.values():
            reply = messages.DecisionReply(
                id=decision, answer=messages.Answer.DENIED, code="LeadLost", message="the lead moved on"
            )
            self._outgoing.put_nowait((message.reply, messages.encode(reply)))
        self._waiting.clear()

    def _subject(self, effect: fx.Publish) -> str:
        if isinstance(effect.message, messages.AccountView):
            return subjects.position(self._pod)
        if isinstance(effect.message, messages.ExecutionReport):
            return subjects.report(_ROLE)
        return subjects.fill(self._pod)

    async def _decide(self, message: Msg) -> None:
        try:
            decision: messages.Decision = messages.decode(message.data, messages.Decision)
        except BusError as error:
            self._logger.error("decision refused", reason=str(error))
            refusal = messages.DecisionReply(
                id="", answer=messages.Answer.DENIED, code="Malformed", message=str(error)
            )
            if message.reply:
                self._outgoing.put_nowait((message.reply, messages.encode(refusal)))
            return
        self._token += 1
        self._waiting[self._token] = (message, decision.id)
        self._feed(fx.DecisionReceived(decision=decision, token=self._token))

    async def _market(self, message: Msg) -> None:
        try:
            batch: messages.MarketBatch = messages.decode(message.data, messages.MarketBatch)
        except BusError as error:
            self._logger.error("market events ignored", reason=str(error))
            return
        self._hear(_MONITORING)
        newest: dict[str, messages.Quote] = {}
        for event in batch.events:
            if isinstance(event, messages.Quote):
                newest[event.market] = event
            elif isinstance(event, messages.StreamStatus):
                self._status(event)
            if self._on_market:
                self._on_market(event)
        for quote in newest.values():
            self._feed(fx.QuoteSeen(quote=quote))

    def _hear(self, container: str) -> None:
        self._silent_from_ms[container] = self._now_ms() + _SILENT_MS

    def _status(self, status: messages.StreamStatus) -> None:
        if status.stream == _EVALUATION:
            self._hear(_EVALUATION)
            return
        verdicts = self._verdicts.setdefault(status.market, {})
        verdicts[status.stream] = status.verdict not in _BAD
        self._feed(fx.StreamSeen(market=status.market, fresh=all(verdicts.values())))

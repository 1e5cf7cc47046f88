"""Somebody else's account at work: a price, a decision, a record in the log and a fill, again and again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from nats.aio.msg import Msg

from smarttrade.bus import subjects
from smarttrade.bus.accounts import AccountPair
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.log import AccountLog
from smarttrade.messages import AccountControl
from tests.attacks.latency import ENOUGH, judge_latency, limit_s

POD = "victim-0"
PATIENCE_S = 60.0


class Victim:
    """One round: a price goes out, evaluation decides on it, execution logs the order and tells the fill.

    Whatever its three containers hear that no round of its own has sent is kept in `strange`.
    """

    def __init__(self, url: str, pair: AccountPair, *, pause_s: float = 0.005) -> None:
        self._url, self._pair, self._pause_s = url, pair, pause_s
        self.strange: list[str] = []
        self.lost: list[str] = []
        self.rounds_s: list[float] = []
        self.rounds = 0
        self._sequence = 0
        self._fill: asyncio.Future[bytes] | None = None
        self._connections: dict[str, Connection] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for role in subjects.ROLES:
            self._connections[role] = await self._connect(role)
        execution, evaluation = self._connections["execution"], self._connections["evaluation"]
        # A server that stands still for a moment is the machine's doing; the median sees a slow one.
        self._log = AccountLog(execution, timeout_s=PATIENCE_S)
        self._control = ControlReader(self._connections["monitoring"])
        await execution.subscribe("decide.*", cb=self._decide)
        await evaluation.subscribe("market.*.*", cb=self._think)
        await evaluation.subscribe("fill.*", cb=self._filled)
        await execution.subscribe(subjects.CONTROL, cb=self._surprise)
        for connection in (execution, evaluation):
            await connection.flush()
        self._task = asyncio.create_task(self._trade())
        await self.goes_on()

    async def goes_on(self, rounds: int = 3) -> None:
        """Until so many more rounds are whole; an error when anything was lost, or heard that is strange."""
        wanted = self.rounds + rounds
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self.rounds < wanted and not self.lost:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
        except TimeoutError:
            raise AssertionError("the victim trades no more") from None
        assert not self.lost, f"the victim lost {self.lost}"
        assert not self.strange, f"the victim heard what it never said: {self.strange}"

    @asynccontextmanager
    async def unharmed(self) -> AsyncIterator[float]:
        """It loses nothing, hears nothing strange and is as quick as just before, whatever is done meanwhile.

        Gives the time that its rounds may take in the median.
        """
        await self.goes_on(ENOUGH)
        before, began = self.rounds_s[-ENOUGH:], self.rounds
        yield limit_s(before)
        await self.goes_on(max(0, began + ENOUGH - self.rounds))
        judge_latency(before, self.rounds_s[began:])
        await self.is_whole()

    async def is_whole(self) -> None:
        """Its log holds exactly its own records, in order, and its control value is its own."""
        await self.goes_on()
        records = [payload async for _, payload, _ in self._log.read()]
        assert all(record == b"order %d" % number for number, record in enumerate(records, 1)), (
            "forged record"
        )
        assert len(records) >= self.rounds, "records of the victim are gone"
        assert await self._control.current() == CONTROL

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
        for connection in self._connections.values():
            await connection.close()

    async def _connect(self, role: str) -> Connection:
        async def closed() -> None:
            self.lost.append(f"the connection of {role}")

        return await connect(
            self._url,
            name=f"victim {role}",
            role=role,
            credentials=self._pair.credentials[role],
            on_closed=closed,
        )

    async def _trade(self) -> None:
        for number in itertools.count(1):
            began = monotonic()
            self._fill = asyncio.get_running_loop().create_future()
            await self._connections["monitoring"].publish(subjects.market(POD, "quote"), b"price %d" % number)
            try:
                told = await asyncio.wait_for(self._fill, PATIENCE_S)
            except TimeoutError:
                self.lost.append(f"round {number}")
                return
            if told != b"fill %d" % number:
                self.strange.append(f"fill {told!r}")
            self.rounds_s.append(monotonic() - began)
            self.rounds = number
            await asyncio.sleep(self._pause_s)

    async def _think(self, message: Msg) -> None:
        word, _, number = message.data.partition(b" ")
        if message.subject != subjects.market(POD, "quote") or word != b"price":
            self.strange.append(f"{message.subject} {message.data!r}")
            return
        await self._connections["evaluation"].publish(subjects.decide(POD), b"buy " + number)

    async def _decide(self, message: Msg) -> None:
        word, _, number = message.data.partition(b" ")
        if word != b"buy" or int(number) != self.rounds + 1:
            self.strange.append(f"{message.subject} {message.data!r}")
            return
        record = b"order " + number
        self._sequence = await self._log.append(
            record, after=self._sequence, message_id=f"victim-{number.decode()}"
        )
        await self._connections["execution"].publish(subjects.fill(POD), b"fill " + number)

    async def _filled(self, message: Msg) -> None:
        if self._fill and not self._fill.done():
            self._fill.set_result(message.data)
        else:
            self.strange.append(f"{message.subject} {message.data!r}")

    async def _surprise(self, message: Msg) -> None:
        self.strange.append(f"{message.subject} {message.data!r}")


CONTROL = AccountControl(generation=1, spec={"state": "Active"})

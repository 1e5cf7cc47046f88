"""Is a stream alive? On a local monotonic clock, in milliseconds; no I/O.

Silence of a market is not staleness: a stream is Fresh while its connection is heard (a pong will do) and a
look by REST shows nothing that it should have brought. ccxt raises nothing on a stream that fell silent, so
this is the only thing that notices. Where an exchange answers no pings, its silence says nothing: then a look
by REST is what is heard, as often as the account's own bound wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from smarttrade.messages import Verdict


class Action(Enum):
    NONE = auto()
    PROBE = auto()
    RECONNECT = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    reason: str = ""
    action: Action = Action.NONE


class StreamWatch:
    """One stream of one market. `stale_ms`: how long a connection may be silent; after `probe_ms` without
    data the stream is probed, then again at doubling intervals up to eight times that. `unanswered_ms` and no
    doubling hold while pings are not answered."""

    def __init__(self, now_ms: int, *, stale_ms: int, probe_ms: int, unanswered_ms: int = 0) -> None:
        self.stale_ms = stale_ms
        self.unanswered_ms = unanswered_ms or stale_ms
        self.answers_pings = True
        self.probe_ms = probe_ms
        self._connected = False
        self._reason = "connecting"
        self._heard_ms = self._data_ms = self._probed_ms = now_ms
        self._probe_wait_ms = probe_ms
        self._behind = ""
        self._backfilling = ""

    def connected(self, now_ms: int) -> None:
        """The connection was heard for the first time; later calls change nothing."""
        if not self._connected:
            self._connected = True
            self.data(now_ms)

    def disconnected(self, reason: str) -> None:
        self._connected, self._reason = False, reason

    def heard(self, now_ms: int) -> None:
        """Anything came over the connection, a pong included."""
        self._heard_ms = max(self._heard_ms, now_ms)

    def data(self, now_ms: int) -> None:
        """The stream itself brought something."""
        self.heard(now_ms)
        self._data_ms = self._probed_ms = now_ms
        self._probe_wait_ms = self.probe_ms
        self._behind = ""

    def probed(self, now_ms: int, behind: str | None) -> None:
        """REST was asked: `behind` says what the stream should have brought, or is empty; None: no answer."""
        self._probed_ms = now_ms
        if self.answers_pings:
            self._probe_wait_ms = min(2 * self._probe_wait_ms, 8 * self.probe_ms)
        elif behind is not None:
            self.heard(now_ms)
        behind = behind or ""
        self._behind = "" if self._backfilling else behind

    def backfilling(self, reason: str) -> None:
        """Missing data is being fetched; empty when that is done. Meanwhile what came later is held, so that
        it is not there yet says nothing."""
        self._backfilling, self._behind = reason, ""

    def judge(self, now_ms: int) -> Judgement:
        if not self._connected:
            return Judgement(Verdict.BROKEN, self._reason)
        if self._behind:
            return Judgement(Verdict.BROKEN, self._behind, Action.RECONNECT)
        silence_ms = now_ms - self._heard_ms
        if silence_ms > (self.stale_ms if self.answers_pings else self.unanswered_ms):
            return Judgement(Verdict.STALE, f"nothing heard for {silence_ms} ms", Action.RECONNECT)
        if self._backfilling:
            return Judgement(Verdict.BACKFILLING, self._backfilling)
        action = Action.PROBE if now_ms - self._probed_ms >= self._probe_wait_ms else Action.NONE
        return Judgement(Verdict.FRESH, "", action)

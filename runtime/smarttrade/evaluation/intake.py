"""Does a batch of market events follow the one before it?

Core NATS delivers at most once and in order: a lost batch shows as a gap in `seq`, a monitoring process
that started again as another `feed`. What is missing is asked for again; where it is not kept any more, or
belongs to another feed, where the stream stands is asked and the candles are read again. Nothing goes on as
if nothing was missing.
"""

from __future__ import annotations

from enum import Enum, auto

from smarttrade.messages import DescribeReply, MarketBatch


class Verdict(Enum):
    NEXT = auto()
    SEEN = auto()
    GAP = auto()


class Intake:
    """Position in the feed of one pod's monitoring."""

    def __init__(self) -> None:
        self._feed = ""
        self._seq = 0
        self.gaps = 0

    def start(self, described: DescribeReply) -> None:
        """Go on after what monitoring had published when it answered."""
        self._feed, self._seq = described.feed, described.seq

    def missing(self, batch: MarketBatch) -> range:
        """The numbers between the last batch and this one of the same feed."""
        return range(self._seq + 1, batch.seq) if batch.feed == self._feed else range(0)

    def judge(self, batch: MarketBatch) -> Verdict:
        """NEXT moves the position; GAP leaves it, until `start`."""
        if batch.feed == self._feed and batch.seq <= self._seq:
            return Verdict.SEEN
        if batch.feed == self._feed and batch.seq == self._seq + 1:
            self._seq = batch.seq
            return Verdict.NEXT
        self.gaps += 1
        return Verdict.GAP

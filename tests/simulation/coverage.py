"""What the histories of a run were made of, and whether that is enough to mean anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median

SHARES = {
    "partial fill": 0.05,
    "resting order": 0.05,
    "cancel": 0.05,
    "cancel-replace": 0.05,
    "amendment": 0.05,
    "protective order": 0.05,
    "protective fill": 0.05,
    "log loss": 0.05,
    "breach": 0.05,
    "older version stands aside": 0.05,
    "state change": 0.05,
    "clock skew": 0.05,
    "nats loss": 0.05,
    "log truncation": 0.05,
    "late visibility": 0.05,
    "deadline refused": 0.05,
    "tried again": 0.05,
}
DECISIONS, FAULTS = 20, 3


class Coverage:
    """Counts histories in which a thing occurred, and decisions and faults of each."""

    def __init__(self) -> None:
        self.histories = 0
        self.seen: Counter[str] = Counter()
        self.times: Counter[str] = Counter()
        self._decisions: list[int] = []
        self._faults: list[int] = []

    def add(self, counts: Counter[str]) -> None:
        self.histories += 1
        self.seen.update(counts.keys())
        self.times.update(counts)
        self._decisions.append(counts["decision"])
        self._faults.append(counts["fault"])

    @property
    def medians(self) -> tuple[float, float]:
        """Decisions taken in and faults that struck, per history."""
        return median(self._decisions), median(self._faults)

    def share(self, thing: str) -> float:
        return self.seen[thing] / max(self.histories, 1)

    def shortfalls(self) -> Iterable[str]:
        """What the run had too little of."""
        for thing, least in SHARES.items():
            if self.share(thing) < least:
                yield f"{thing} in {self.share(thing):.1%} of the histories, {least:.0%} wanted"
        for name, value, least in zip(
            ("decisions", "faults"), self.medians, (DECISIONS, FAULTS), strict=True
        ):
            if value < least:
                yield f"{name} per history: median {value}, {least} wanted"

    def lines(self) -> Iterable[str]:
        decisions, faults = self.medians
        yield f"{self.histories} histories, median {decisions:g} decisions and {faults:g} faults each"
        for thing, count in sorted(self.times.items()):
            yield f"  {thing:32s} {count:9d} times, in {self.share(thing):6.1%} of the histories"

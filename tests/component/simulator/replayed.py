"""Prints a digest of a seeded market and of what became of the same orders on it.

`python -m tests.component.simulator.replayed SEED`: a process of its own, because what depends on the hash
of strings or on the address of objects is the same within one process.
"""

import hashlib
import sys
from decimal import Decimal
from itertools import islice

import msgspec

from smarttrade.matching import BUY, SELL, OrderRequest, OrderType
from smarttrade.simulator.clock import ExchangeClock
from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.faults import FaultPlan
from smarttrade.simulator.journal import Journal
from smarttrade.simulator.markets import build_setup
from smarttrade.simulator.tape import TapeQuote
from smarttrade.simulator.testing import build_test_user
from smarttrade.simulator.venue import Venue

SYMBOLS = ("BTC/USDT", "ETH/USDT")
EVENTS = 4_000
EVERY = 50
START_MS = 1_700_000_040_000


class TapeClock(ExchangeClock):
    """Stands at the last event."""

    at_ms = START_MS

    def now_ms(self) -> int:
        return self.at_ms


def build_request(number: int, quote: TapeQuote) -> OrderRequest:
    """Market orders and limits at the best price, in turn on both sides."""
    side = BUY if number % 2 else SELL
    kind = OrderType.LIMIT if number % 3 else OrderType.MARKET
    price = (
        Decimal(quote.bid if side == BUY else quote.ask).scaleb(-8) if kind is OrderType.LIMIT else Decimal(0)
    )
    return OrderRequest(quote.symbol, side, kind, f"order-{number}", Decimal("0.05"), price=price)


def replay(seed: int) -> tuple[str, str, int]:
    """Digests of the tape and of the journal, and how many fills the journal has."""
    user = build_test_user("alice", USDT="1000000", BTC="10", ETH="10")
    setup = build_setup(SimulatorConfig(seed=seed, symbols=list(SYMBOLS), users=[user]))
    clock, journal = TapeClock(), Journal()
    venue = Venue(setup.markets, clock, journal, FaultPlan(seed))
    alice = venue.add_user(user).account
    tape = hashlib.sha256()
    for number, event in enumerate(islice(setup.tape or (), EVENTS)):
        tape.update(repr(event).encode())
        clock.at_ms = START_MS + int(event.elapsed_ms)
        venue.apply(event, clock.at_ms)
        if number % EVERY == 0 and isinstance(event, TapeQuote):
            venue.place(alice, build_request(number // EVERY, event))
    told = hashlib.sha256(msgspec.json.encode(journal.entries())).hexdigest()
    return tape.hexdigest(), told, len(journal.fills())


if __name__ == "__main__":
    print(*replay(int(sys.argv[1])))

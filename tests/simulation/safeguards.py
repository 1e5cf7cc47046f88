"""Each safeguard of the protocol, and how to switch it off: a simulation that cannot fail proves nothing.

The product has no such switches. Here one core's methods are replaced after it was built, and the world's
own parts (the log's compare-and-swap, the last check before the wire) are told to look away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

from smarttrade.execution import effects as fx
from smarttrade.execution.book import Book
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.execution.exposure import Exposure, MarketExposure
from smarttrade.execution.identifiers import OrderIds
from smarttrade.execution.orders import Order, OrderState
from smarttrade.execution.snapshot import MarketBook
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Decision, DecisionReply, Side

if TYPE_CHECKING:
    from tests.simulation.pod import Pod

KEY = b"the key of this installation"
_UNSURE = (OrderState.UNKNOWN, OrderState.PENDING_NEW)


class Safeguards:
    """All of them on."""

    fenced = True
    covers = True

    def tune(self, tuning: Tuning) -> Tuning:
        return tuning

    def build_core(self, identity: AccountIdentity, holder: str, tuning: Tuning) -> Core:
        return self._weakened(Core(identity, holder, tuning, KEY))

    def succeed(self, core: Core) -> Core:
        return self._weakened(core.successor())

    def weaken(self, core: Core) -> None:
        """Replace methods of a new core."""

    def weaken_book(self, book: Book) -> None:
        """Replace methods of a new book: a core gets one when it is built and one with every snapshot."""

    def lease_until(self, until_ms: float) -> float:
        """Until when a pod believes that it holds the lease."""
        return until_ms

    def may_leave(self, pod: Pod, effect: fx.Send) -> bool:
        """The last check before the wire."""
        return pod.mono_ms < pod.lease_until and pod.mono_ms < effect.leave_by_ms

    def sign(self, pod: Pod, effect: fx.Send) -> fx.Send:
        """The request carries the time that the intent pinned."""
        return effect

    @contextmanager
    def patched(self) -> Iterator[None]:
        """For what is not a method of a core."""
        yield

    def _weakened(self, core: Core) -> Core:
        self.weaken(core)
        self.weaken_book(core.ctx.book)
        read = core._on[fx.SnapshotRead]

        def read_and_weaken(event: Any) -> None:
            read(event)
            self.weaken_book(core.ctx.book)

        core._on[fx.SnapshotRead] = read_and_weaken
        return core


class NoLease(Safeguards):
    """Once a pod had the lease it believes to have it for ever."""

    def lease_until(self, until_ms: float) -> float:
        return 1e18


class NoFence(Safeguards):
    """The log takes an append whatever it comes after."""

    fenced = False


class NoPinnedDeadline(Safeguards):
    """The request is signed when it leaves."""

    def may_leave(self, pod: Pod, effect: fx.Send) -> bool:
        return pod.mono_ms < pod.lease_until

    def sign(self, pod: Pod, effect: fx.Send) -> fx.Send:
        return msgspec.structs.replace(effect, deadline_ms=pod.core.ctx.clock.exchange_ms(pod.mono_ms))


class NoHold(Safeguards):
    """An order that is not found once the window has passed is void at once."""

    def tune(self, tuning: Tuning) -> Tuning:
        return msgspec.structs.replace(tuning, hold_ms=0, settle_ms=0, misses=1)


class NoResolutionOfOpenIntents(Safeguards):
    """A new leader does not ask about orders that the old one left open."""

    def weaken(self, core: Core) -> None:
        class Incurious:
            def doubt(self, order: Order) -> None:
                return

        core.leading._resolution = Incurious()  # type: ignore[assignment]


class NoFollowUpOfVoidedIntents(Safeguards):
    """A new leader takes a decision whose newest order was voided for done."""

    def weaken(self, core: Core) -> None:
        claimed = core.leading.claimed

        def claimed_and_forgotten() -> None:
            claimed()
            for market in core.ctx.book.markets.values():
                newest = core.ctx.book.orders.get(market.newest)
                if newest is not None and newest.state is OrderState.VOID:
                    market.current = None

        core.leading.claimed = claimed_and_forgotten  # type: ignore[method-assign]


class UnknownHoldsNoMarket(Safeguards):
    """A market goes on while the fate of one of its orders is unknown."""

    def weaken_book(self, book: Book) -> None:
        unsettled = book.unsettled

        def certain(market: str | None = None) -> list[Order]:
            orders = unsettled(market)
            return orders if market is None else [o for o in orders if o.state not in _UNSURE]

        book.unsettled = certain  # type: ignore[method-assign]


class UnknownHoldsNoExposure(Safeguards):
    """An order of unknown fate counts as nothing."""

    def weaken(self, core: Core) -> None:
        exposure = core.accounting.exposure

        def certain(unguarded: str = "") -> Exposure:
            book = core.ctx.book
            every = book.unsettled
            book.unsettled = lambda market=None: [  # type: ignore[method-assign]
                o for o in every(market) if o.state not in _UNSURE
            ]
            try:
                return exposure(unguarded)
            finally:
                del book.unsettled

        core.accounting.exposure = certain  # type: ignore[method-assign]


class NettedExposure(Safeguards):
    """Sells that are out are taken off the buys that are out."""

    def weaken(self, core: Core) -> None:
        exposure = core.accounting.exposure

        def netted(unguarded: str = "") -> Exposure:
            found = exposure(unguarded)
            return Exposure({m: _netted(each) for m, each in found.markets.items()})

        core.accounting.exposure = netted  # type: ignore[method-assign]


class OrderBeforeIntent(Safeguards):
    """What waits for the log does not wait."""

    def weaken(self, core: Core) -> None:
        add = core.ctx.outbox.add

        def add_and_go(record: Any, *after: fx.Effect) -> None:
            add(record)
            core.ctx.emit(*after)

        core.ctx.outbox.add = add_and_go  # type: ignore[method-assign]


class NoHighWaterMark(Safeguards):
    """A decision is executed however old it is."""

    def weaken(self, core: Core) -> None:
        refusal = core.decisions._refusal

        def lenient(decision: Decision) -> DecisionReply | None:
            found = refusal(decision)
            return None if found is not None and found.code in ("AlreadyLogged", "BelowHighWater") else found

        core.decisions._refusal = lenient  # type: ignore[method-assign]


class NoTradeMemory(Safeguards):
    """A trade counts as often as it is reported."""

    def weaken_book(self, book: Book) -> None:
        book.ledger.knows = lambda market, trade_id, side: False  # type: ignore[method-assign]


class OneSideOfATrade(Safeguards):
    """A trade of the account with itself counts for the side that is told first."""

    def weaken_book(self, book: Book) -> None:
        ledger = book.ledger
        knows = ledger.knows

        def either(market: str, trade_id: str, side: Side) -> bool:
            return any(knows(market, trade_id, each) for each in Side)

        ledger.knows = either  # type: ignore[method-assign]


class ReusedClientOrderId(Safeguards):
    """A second attempt has the id of the first."""

    @contextmanager
    def patched(self) -> Iterator[None]:
        build: Callable[..., str] = OrderIds.build
        with patch.object(OrderIds, "build", lambda s, d, leg, attempt, claim="": build(s, d, leg, 1, claim)):
            yield


class NoGapCheck(Safeguards):
    """A reader takes what the log still has for all that it ever had."""

    def weaken(self, core: Core) -> None:
        read = core._on[fx.LogRead]

        def read_on(event: Any) -> None:
            if event.sequence != core.ctx.outbox.sequence:
                batch = msgspec.structs.replace(event.batch, after=core.ctx.outbox.sequence, previous="")
                read(msgspec.structs.replace(event, batch=batch))

        core._on[fx.LogRead] = read_on


class NoWaitForCancels(Safeguards):
    """A target's order goes out beside what is left of the decision before."""

    def weaken_book(self, book: Book) -> None:
        unsettled = book.unsettled

        def without_resting(market: str | None = None) -> list[Order]:
            live = (OrderState.NEW, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL)
            orders = unsettled(market)
            return orders if market is None else [o for o in orders if o.state not in live]

        book.unsettled = without_resting  # type: ignore[method-assign]


class SaleBesideProtection(Safeguards):
    """A sale does not wait for the orders that protect what it sells."""

    def weaken(self, core: Core) -> None:
        core.working._makes_way = lambda market: True  # type: ignore[method-assign]


class StoppedDecisionGoesOn(Safeguards):
    """A decision is worked at after protection has sold its position."""

    def weaken(self, core: Core) -> None:
        core.working._end_what_was_stopped = lambda book: None  # type: ignore[method-assign]


class HoldOnTheExchangesClockAlone(Safeguards):
    """The hold before a void is not measured on the process's own clock."""

    def weaken(self, core: Core) -> None:
        judge = core.resolution.could_not_arrive_any_more

        def judged(order: Order, asked_ms: float) -> bool:
            core.ctx.known_ms[order.cid] = -1e18
            return judge(order, asked_ms)

        core.resolution.could_not_arrive_any_more = judged  # type: ignore[method-assign]


class NoRestoring(Safeguards):
    """A new log is taken for the account's first, and strange trades for somebody else's."""

    def tune(self, tuning: Tuning) -> Tuning:
        return msgspec.structs.replace(tuning, restores=False)

    def weaken(self, core: Core) -> None:
        core.restoring.suspect = lambda trades: False  # type: ignore[method-assign]


class NoWaitAfterLoss(Safeguards):
    """What a lost log had sent is taken to be visible at once."""

    def weaken(self, core: Core) -> None:
        record = core.restoring._record

        def recorded(*, final: bool, **told: Any) -> None:
            record(final=True, **told)

        core.restoring._record = recorded  # type: ignore[method-assign]


class EventsBeforeTheLoss(Safeguards):
    """Decisions on events before the log was lost are executed again."""

    def weaken(self, core: Core) -> None:
        refusal, end = core.decisions._refusal, core.working._end_what_was_stopped

        def lenient(decision: Decision) -> DecisionReply | None:
            found = refusal(decision)
            return None if found is not None and found.code == "BeforeLogLoss" else found

        def stopped_only(book: MarketBook) -> None:
            before, core.ctx.book.not_before_ms = core.ctx.book.not_before_ms, 0
            end(book)
            core.ctx.book.not_before_ms = before

        core.decisions._refusal = lenient  # type: ignore[method-assign]
        core.working._end_what_was_stopped = stopped_only  # type: ignore[method-assign]


class SnapshotOfALostLog(Safeguards):
    """A snapshot is stored whatever log there is by then."""

    covers = False


class NoChainCheck(Safeguards):
    """A reader follows whatever batch has the next sequence."""

    def weaken(self, core: Core) -> None:
        read = core._on[fx.LogRead]

        def read_on(event: Any) -> None:
            if event.sequence != core.ctx.outbox.sequence:
                batch = msgspec.structs.replace(event.batch, previous="")
                read(msgspec.structs.replace(event, batch=batch))

        core._on[fx.LogRead] = read_on


class ForgottenOrdersStay(Safeguards):
    """An accepted order that the exchange knows no more is asked for and never taken for ended."""

    def weaken(self, core: Core) -> None:
        core.resolution.forgotten = lambda order: None  # type: ignore[method-assign]


def _netted(each: MarketExposure) -> MarketExposure:
    least = min(each.buys, each.sells)
    return MarketExposure(each.position, each.buys - least, each.sells - least, each.buy_cost)


SWITCHED_OFF: dict[str, type[Safeguards]] = {
    "lease-check": NoLease,
    "epoch-fence": NoFence,
    "pinned-deadline": NoPinnedDeadline,
    "hold-before-void": NoHold,
    "open-intent-resolution": NoResolutionOfOpenIntents,
    "voided-intent-resolution": NoFollowUpOfVoidedIntents,
    "unknown-holds-market": UnknownHoldsNoMarket,
    "unknown-holds-exposure": UnknownHoldsNoExposure,
    "worst-case-per-side": NettedExposure,
    "intent-before-order": OrderBeforeIntent,
    "high-water-mark": NoHighWaterMark,
    "trade-counted-once": NoTradeMemory,
    "both-sides-of-a-trade": OneSideOfATrade,
    "fresh-client-order-id": ReusedClientOrderId,
    "compaction-gap-check": NoGapCheck,
    "cancel-before-replace": NoWaitForCancels,
    "protection-makes-way": SaleBesideProtection,
    "protection-ends-decision": StoppedDecisionGoesOn,
    "hold-on-own-clock": HoldOnTheExchangesClockAlone,
    "restoring": NoRestoring,
    "wait-after-log-loss": NoWaitAfterLoss,
    "events-before-log-loss": EventsBeforeTheLoss,
    "snapshot-fence": SnapshotOfALostLog,
    "log-chain": NoChainCheck,
    "forgotten-orders-end": ForgottenOrdersStay,
}

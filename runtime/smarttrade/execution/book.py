"""The state of the account, folded from its log: the same records give the same book on every replica.

Nothing here looks at a clock, a quote or the network. An ended order stays for a while, because exchanges
report fills after the end, and because a trade is joined to its order here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import records
from smarttrade.execution.equity import LossRecord, LossState, fold
from smarttrade.execution.errors import ReusedClientOrderIdError
from smarttrade.execution.ledger import Ledger, split_symbol
from smarttrade.execution.orders import Order, OrderState, Purpose
from smarttrade.execution.snapshot import (
    HighWater,
    MarketBook,
    Plan,
    Snapshot,
    version_of,
)
from smarttrade.messages import Decision, Fill, Outcome, RestingOrders, Side, Target

KEPT_ENDED = 500
PACE_MS = 60_000
NEARLY_FLAT = Decimal("0.005")
"""A position below this share of what it was at most is what fees left over: the next one is another."""
DEADLINE_MISSED, WOULD_MATCH = "DeadlineMissed", "WouldMatch"


class Book:
    """Everything that a new leader must know."""

    def __init__(self) -> None:
        self.epoch = 0
        self.opened = False
        self.allocation = Decimal(0)
        self.intents = 0
        self.fills = 0
        self.markets: dict[str, MarketBook] = {}
        self.orders: dict[str, Order] = {}
        self.ledger = Ledger()
        self.losses = LossState()
        self.halt: records.HaltOrdered | None = None
        self.ordered: records.HaltOrdered | None = None
        """The newest halt by hand that was read, lifted or not."""
        self.sent_ms: deque[int] = deque()
        self.memory = ""
        """What the strategy remembered at its newest decision."""
        self.owed: dict[str, dict[str, Decimal]] = {}
        """Fees in a third asset that have no value yet: market to asset to quantity."""
        self.restoring = False
        self.not_before_ms = 0
        self.last_ms = 0
        """When the log last knew what the exchange had done."""
        self._by_order_id: dict[tuple[str, str], str] = {}
        self._unsettled: dict[str, Order] = {}
        self._groups: dict[str, set[str]] = {}
        self._told: dict[str, Order] = {}
        self._fold: dict[type, Callable[..., None]] = {
            records.EpochStarted: self._epoch_started,
            records.LedgerOpened: self._ledger_opened,
            records.HistoryRestored: self._history_restored,
            records.DecisionAccepted: self._decision_accepted,
            records.DecisionClosed: self._decision_closed,
            records.OrderIntended: self._order_intended,
            records.OrderMoved: self._order_moved,
            records.OrderAdopted: self._order_adopted,
            records.FillRecorded: self._fill_recorded,
            records.FeeValued: self._fee_valued,
            records.DayStarted: self._loss_record,
            records.PeakReached: self._loss_record,
            records.Breached: self._loss_record,
            records.BreachAcknowledged: self._loss_record,
            records.LossTaken: self._loss_taken,
            records.ProtectionMissed: self._protection_missed,
            records.Instructed: lambda record: None,
            records.HaltOrdered: self._halt_ordered,
            records.HaltLifted: self._halt_lifted,
        }

    def apply(self, record: records.AnyRecord) -> None:
        self._fold[type(record)](record)

    def market(self, market: str) -> MarketBook:
        found = self.markets.get(market)
        if found is None:
            found = self.markets[market] = MarketBook(market=market)
        return found

    @property
    def has_unsettled(self) -> bool:
        return bool(self._unsettled)

    def unsettled(self, market: str | None = None) -> list[Order]:
        """Orders that may still change the position, oldest first."""
        if not self._unsettled:
            return []
        return [order for order in self._unsettled.values() if market is None or order.market == market]

    def remaining(self, order: Order) -> Decimal:
        """What an order may still change; what one of a pair has filled, the other will not fill again."""
        if not order.group:
            return order.exposure
        pair = (self.orders[cid] for cid in self._groups.get(order.group, ()) if cid != order.cid)
        return max(order.exposure - sum((other.recorded for other in pair), Decimal(0)), Decimal(0))

    def by_order_id(self, market: str, order_id: str) -> Order | None:
        cid = self._by_order_id.get((market, order_id))
        return self.orders.get(cid) if cid else None

    def differing(self) -> Iterator[tuple[Order, Decimal]]:
        """Orders of which the ledger has another sum than the exchange tells, with that sum."""
        for order in self._told.values():
            if order.told is not None and order.told != order.recorded:
                yield order, order.told

    def open_decisions(self) -> Iterator[Decision]:
        return (book.current for book in self.markets.values() if book.current is not None)

    def snapshot(self, sequence: int, batch_id: str = "") -> Snapshot:
        newer = self.restoring or bool(self.not_before_ms) or self.halt is not None
        return Snapshot(
            v=version_of(
                self.markets.values(),
                self.orders.values(),
                newer=newer,
                forgotten=self.ledger.has_forgotten,
                owing=bool(self.owed) or any(True for _ in self.differing()),
            ),
            sequence=sequence,
            batch_id=batch_id,
            restoring=self.restoring,
            not_before_ms=self.not_before_ms,
            last_ms=self.last_ms,
            epoch=self.epoch,
            opened=self.opened,
            allocation=self.allocation,
            intents=self.intents,
            fills=self.fills,
            markets=list(self.markets.values()),
            orders=list(self.orders.values()),
            ledger=self.ledger.state(),
            losses=self.losses,
            halt=self.halt,
            memory=self.memory,
            owed={market: dict(fees) for market, fees in self.owed.items()},
        )

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Book:
        book = cls()
        book.epoch, book.opened, book.allocation = snapshot.epoch, snapshot.opened, snapshot.allocation
        book.intents, book.fills, book.losses = snapshot.intents, snapshot.fills, snapshot.losses
        book.restoring, book.not_before_ms = snapshot.restoring, snapshot.not_before_ms
        book.last_ms, book.memory = snapshot.last_ms, snapshot.memory
        book.markets = {market.market: market for market in snapshot.markets}
        book.ledger = Ledger(snapshot.ledger)
        book.halt = book.ordered = snapshot.halt
        book.owed = {market: dict(fees) for market, fees in snapshot.owed.items()}
        for order in snapshot.orders:
            book._keep(order)
            book._note_sent(order.deadline_ms)
        return book

    # --- the fold ---

    def _epoch_started(self, record: records.EpochStarted) -> None:
        self.epoch = max(self.epoch, record.epoch)
        self.last_ms = max(self.last_ms, record.time_ms)

    def _ledger_opened(self, record: records.LedgerOpened) -> None:
        self.opened, self.allocation, self.restoring = True, record.allocation, record.restoring
        for market, quantity, price in record.positions:
            self.ledger.adopt(market, quantity, price)

    def _history_restored(self, record: records.HistoryRestored) -> None:
        self.restoring = not record.final
        if record.lost and record.time_ms > self.not_before_ms:
            self.not_before_ms = record.time_ms
            for market in self.markets.values():
                market.standing = None

    def _decision_accepted(self, record: records.DecisionAccepted) -> None:
        decision = record.decision
        if decision.memory:  # once for the account, not with every decision that is kept
            self.memory = decision.memory
            decision = msgspec.structs.replace(decision, memory="")
        market = self.market(decision.market)
        market.high_water[decision.strategy] = HighWater(
            event_time_ms=decision.event_time_ms,
            event_ordinal=decision.event_ordinal,
            index=decision.index,
            id=decision.id,
        )
        market.current = decision
        market.standing = decision if isinstance(decision.want, RestingOrders) else None
        market.done, market.filled = [], {}
        market.counted, market.newest, market.legs, market.attempts = decision.id, "", 0, 0
        market.residuals, market.refusals, market.matched, market.tried_ms = 0, 0, 0, 0

    def _decision_closed(self, record: records.DecisionClosed) -> None:
        market = self.market(record.market)
        current = market.current
        if current is None or current.id != record.id:
            return
        market.current = None
        if record.outcome is Outcome.REACHED and isinstance(current.want, Target):
            if current.want.quantity > 0 and self.ledger.quantity(record.market) > 0:
                self._plan(market, current)
            elif current.want.quantity <= 0:
                market.ratchet, market.most = None, Decimal(0)
                self._end_plan(market)

    def _order_intended(self, record: records.OrderIntended) -> None:
        if record.cid in self.orders:
            raise ReusedClientOrderIdError(f"client order id {record.cid} was used before")
        self.intents += 1
        self.last_ms = max(self.last_ms, record.deadline_ms)
        self._note_sent(record.deadline_ms)
        market = self.market(record.market)
        if record.purpose is Purpose.PROTECTIVE:
            if record.trigger is not None and not _is_fixed(record.trigger, market.plan):
                market.ratchet = max(market.ratchet or record.trigger, record.trigger)
        elif record.decision_id == market.counted:
            market.legs, market.attempts, market.newest = record.leg, record.attempt, record.cid
            market.tried_ms = market.tried_ms or record.deadline_ms
            if record.side is Side.BUY and market.current is not None:
                self._plan(market, market.current)
        self._keep(
            Order(
                cid=record.cid,
                market=record.market,
                side=record.side,
                kind=record.kind,
                price=record.price,
                quantity=record.quantity,
                purpose=record.purpose,
                decision_id=record.decision_id,
                leg=record.leg,
                attempt=record.attempt,
                deadline_ms=record.deadline_ms,
                window_ms=record.window_ms,
                key=record.key,
                trigger=record.trigger,
                group=record.group,
            )
        )

    def _plan(self, market: MarketBook, decision: Decision) -> None:
        """What a decision says about protection holds once it is being carried out, not when it is denied.

        A resting set says nothing about it.
        """
        want = decision.want
        if not isinstance(want, Target):
            return
        if want.stop_loss is want.take_profit is want.trailing_stop is None:
            market.plan = None
            return
        market.plan = Plan(
            decision_id=decision.id,
            stop_loss=want.stop_loss,
            take_profit=want.take_profit,
            trailing_stop=want.trailing_stop,
        )

    def _end_plan(self, market: MarketBook) -> None:
        """Nothing is held any more: what protected it says nothing about what is held next, unless a buy of
        the same plan is still out."""
        buying = any(
            order.side is Side.BUY and order.decision_id == market.counted and not order.settled
            for order in self.unsettled(market.market)
        )
        if not buying:
            market.plan = None

    def _end_plan_of_none(self, order: Order) -> None:
        """A buy has ended; where it has bought nothing, there may be nothing that its plan protects."""
        if order.side is Side.BUY and self.ledger.quantity(order.market) <= order.quantity * NEARLY_FLAT:
            self._end_plan(self.market(order.market))

    def _order_moved(self, record: records.OrderMoved) -> None:
        order = self.orders.get(record.cid)
        if order is None:
            return
        if record.told is not None:
            order.told = record.told
            self._told[order.cid] = order
            return
        before = order.ended
        order.move(record.state)
        if record.quantity is not None:
            order.quantity = record.quantity
        self._count_filled(order, record.filled)
        order.code = record.code or order.code
        if record.order_id and not order.order_id:
            order.order_id = record.order_id
            self._by_order_id[order.market, order.order_id] = order.cid
        if order.ended and not before:
            self._count_end(order)
            self._end_plan_of_none(order)
        if order.state is OrderState.FILLED and order.key:
            self.market(order.market).done.append(order.key)
        self._settle(order)

    def _count_filled(self, order: Order, filled: Decimal) -> None:
        more = max(filled - order.filled, Decimal(0))
        order.filled += more
        market = self.market(order.market)
        if order.key and market.standing is not None and market.standing.id == order.decision_id:
            market.filled[order.key] = market.filled.get(order.key, Decimal(0)) + more

    def _count_recorded(self, order: Order, fill: Fill) -> None:
        """The other side's is a correction by hand: the exchange says that the order filled less."""
        if fill.side is order.side:
            order.recorded += fill.quantity
            self._count_filled(order, order.recorded)
        else:
            order.recorded -= fill.quantity
            order.filled = order.recorded

    def _note_sent(self, sent_ms: int) -> None:
        self.sent_ms.append(sent_ms)
        while self.sent_ms[0] < sent_ms - PACE_MS:
            self.sent_ms.popleft()

    def _count_end(self, order: Order) -> None:
        market = self.market(order.market)
        if order.decision_id != market.counted or order.purpose is Purpose.PROTECTIVE:
            return
        if order.code == DEADLINE_MISSED:
            market.refusals += 1
        elif order.code == WOULD_MATCH:
            market.matched += 1
        elif order.state is not OrderState.VOID and order.filled < order.quantity:
            market.residuals += 1

    def _order_adopted(self, record: records.OrderAdopted) -> None:
        if record.cid in self.orders:
            return
        stop = record.trigger is not None
        market = self.market(record.market)
        if stop and market.plan is None:
            market.plan = Plan(decision_id="", stop_loss=record.trigger)
        self._keep(
            Order(
                cid=record.cid,
                market=record.market,
                side=record.side,
                kind=OrderKind.STOP_LIMIT if stop else OrderKind.LIMIT,
                price=record.price,
                quantity=record.quantity,
                purpose=Purpose.PROTECTIVE if stop else Purpose.ADOPTED,
                trigger=record.trigger,
                decision_id="",
                leg=0,
                attempt=0,
                deadline_ms=record.time_ms,
                window_ms=0,
                state=OrderState.NEW,
                order_id=record.order_id,
            )
        )

    def _fill_recorded(self, record: records.FillRecorded) -> None:
        fill = record.fill
        order = self.orders.get(fill.client_order_id)
        if order is not None and fill.trade_id in order.trades:
            return
        if self.ledger.apply(fill, record.fee_value, crossed=record.crossed) is None:
            return
        self.fills += 1
        if record.unvalued:
            owed = self.owed.setdefault(fill.market, {})
            owed[fill.fee_asset] = owed.get(fill.fee_asset, Decimal(0)) + fill.fee
        if order is not None:
            order.trades.append(fill.trade_id)
            self._count_recorded(order, fill)
            self._settle(order)
        self._watch_position(fill.market, order)

    def _fee_valued(self, record: records.FeeValued) -> None:
        """What paid the fee is taken from a position in that asset, where the account holds one: it is not in
        the wallet any more."""
        owed = self.owed.get(record.market, {})
        left = owed.pop(record.asset, Decimal(0)) - record.quantity
        if left:
            owed[record.asset] = left
        elif not owed:
            self.owed.pop(record.market, None)
        self.ledger.charge(record.market, record.value)
        if record.quantity <= 0:
            return
        for market in self.ledger.held():
            if split_symbol(market)[0] == record.asset and self.ledger.quantity(market) > 0:
                self.ledger.spend(market, record.quantity, record.price)
                self._watch_position(market, None)

    def _watch_position(self, name: str, order: Order | None) -> None:
        market, held = self.market(name), self.ledger.quantity(name)
        market.most = max(market.most, held)
        if held <= market.most * NEARLY_FLAT:
            market.ratchet, market.most = None, Decimal(0)
            self._end_plan(market)
        if order is not None and order.purpose is Purpose.PROTECTIVE:
            market.stopped = market.current.id if market.current is not None else ""
            market.standing = None

    def _loss_record(self, record: LossRecord) -> None:
        self.losses = fold(self.losses, record)

    def _loss_taken(self, record: records.LossTaken) -> None:
        self.market(record.market).last_loss_ms = record.time_ms

    def _protection_missed(self, record: records.ProtectionMissed) -> None:
        self.market(record.market).bare_ms = record.since_ms

    def _halt_ordered(self, record: records.HaltOrdered) -> None:
        self.halt = self.ordered = record

    def _halt_lifted(self, record: records.HaltLifted) -> None:
        self.halt = None

    # --- keeping orders ---

    def _keep(self, order: Order) -> None:
        self.orders[order.cid] = order
        if order.told is not None:
            self._told[order.cid] = order
        if order.group:
            self._groups.setdefault(order.group, set()).add(order.cid)
        if order.order_id:
            self._by_order_id[order.market, order.order_id] = order.cid
        self._settle(order)

    def _settle(self, order: Order) -> None:
        if not order.settled:
            self._unsettled[order.cid] = order
            return
        self._unsettled.pop(order.cid, None)
        order.trades = []
        if len(self.orders) > len(self._unsettled) + 2 * KEPT_ENDED:
            self._forget_ended()

    def _leave_group(self, order: Order) -> None:
        self._groups[order.group].discard(order.cid)
        if not self._groups[order.group]:
            del self._groups[order.group]

    def _forget_ended(self) -> None:
        """Those that a person resolved stay: only so are their trades known to be counted; and those of which
        the exchange tells another sum. They are few."""
        ended = [
            order
            for order in self.orders.values()
            if order.settled and not order.told_by_hand and order.told is None
        ]
        for order in ended[:-KEPT_ENDED]:
            del self.orders[order.cid]
            if order.group:
                self._leave_group(order)
            self._by_order_id.pop((order.market, order.order_id), None)


def _is_fixed(trigger: Decimal, plan: Plan | None) -> bool:
    """Whether a stop waits for the price that its decision names: another decision may name a lower one."""
    return plan is not None and plan.stop_loss is not None and trigger <= plan.stop_loss

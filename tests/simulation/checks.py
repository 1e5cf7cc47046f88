"""What must hold in every history, whatever the faults: at every change, and when all has come to rest."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from smarttrade.exchange.reports import TradeReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution import orders, records
from smarttrade.execution.book import Book
from smarttrade.execution.orders import Purpose
from smarttrade.execution.targets import dead_band
from smarttrade.messages import Answer, Decision, DecisionReply, Outcome, RestingOrders, Side, Target
from tests.simulation.plan import MARKETS, PRICE
from tests.simulation.venue import FILTERS, Resident

if TYPE_CHECKING:
    from tests.simulation.pod import Pod
    from tests.simulation.world import World

DUST = Decimal("0.001")
ZERO = Decimal(0)
FORGOTTEN_MS = 1_500
_CLOSED = ("ReduceOnly", "Paused", "Flatten", "Halted")


class ViolationError(AssertionError):
    """An invariant does not hold in this history."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail


class Checks:
    """Sees the log, the exchange and the pods at once, as no pod can."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._intents: dict[str, records.OrderIntended] = {}
        self._decisions: dict[str, Decision] = {}
        self._outcomes: dict[str, records.DecisionClosed] = {}
        self._high: dict[tuple[str, str], tuple[int, int, int]] = {}
        self._filled: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._sent: set[str] = set()
        self._placed: dict[str, str] = {}
        self._closed_since: dict[str, int] = {}
        self._trades: set[tuple[str, str, str]] = set()
        self._accepted_in_log: set[str] = set()
        self._stopped: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._unremembered: set[str] = set()
        self._lost_orders: set[str] = set()
        self._places: set[tuple[str, str]] = set()
        self._current: dict[str, str] = {}
        self._epoch = 0
        self._holder = ""

    # --- the log ---

    def appended(self, pod: Pod, batch: records.Batch) -> None:
        """A batch became durable."""
        _require(batch.epoch >= self._epoch, "one leader writes", f"epoch {batch.epoch} after {self._epoch}")
        for record in batch.records:
            match record:
                case records.EpochStarted():
                    _require(record.epoch > self._epoch, "epochs grow", f"{record.epoch} after {self._epoch}")
                    self._epoch, self._holder = record.epoch, record.holder
                    self._alone_in_the_lead(pod)
                    self._world.coverage["fail-over"] += 1
                case records.DecisionAccepted():
                    self._accepted(record.decision)
                case records.DecisionClosed():
                    self._closed(record)
                case records.OrderIntended():
                    self._intended(pod, record)
                case records.FillRecorded():
                    self._counted(record)
                case records.OrderMoved(code=orders.FORGOTTEN):
                    self._world.coverage["order forgotten by the exchange"] += 1
                case records.Breached():
                    self._world.coverage["log loss" if record.reason == "LogLost" else "breach"] += 1
                case _:
                    pass

    def strayed(self, batch: records.Batch) -> None:
        """A leader of a lost log wrote what nobody follows; what it sends is found at the exchange."""
        for record in batch.records:
            if isinstance(record, records.OrderIntended):
                self._intents[record.cid] = record
                self._lost_orders.add(record.cid)
            elif isinstance(record, records.DecisionAccepted):
                self._decisions.setdefault(record.decision.id, record.decision)

    def _counted(self, record: records.FillRecorded) -> None:
        fill = record.fill
        trade = (fill.market, fill.trade_id, fill.order_id)
        if record.crossed:
            self._world.coverage["trade with itself"] += 1
        _require(trade not in self._trades, "a trade is recorded once", str(trade))
        self._trades.add(trade)
        known = fill.client_order_id not in self._lost_orders
        if known and self._intents[fill.client_order_id].purpose is Purpose.PROTECTIVE:
            self._stopped[self._current.get(fill.market, "")] += fill.quantity
            self._world.coverage["protective fill"] += 1

    def forget(self) -> None:
        """The log lost its end: what was decided there may have no outcome, its fills are counted anew."""
        self._world.coverage["log truncation"] += 1
        self._epoch, self._holder = 0, ""
        self._trades, self._accepted_in_log, self._outcomes = set(), set(), {}
        self._current.clear()
        for batch in self._world.journal.followed():
            for record in batch.records:
                match record:
                    case records.EpochStarted():
                        self._epoch, self._holder = record.epoch, record.holder
                    case records.FillRecorded():
                        fill = record.fill
                        self._trades.add((fill.market, fill.trade_id, fill.order_id))
                    case records.DecisionAccepted():
                        self._accepted_in_log.add(record.decision.id)
                        self._current[record.decision.market] = record.decision.id
                    case records.DecisionClosed():
                        self._outcomes[record.id] = record
                    case _:
                        pass
        kept = self._accepted_in_log
        self._high = {}
        for decision in (self._decisions[each] for each in kept):
            key = (decision.strategy, decision.market)
            self._high[key] = max(self._high.get(key, decision.order_key), decision.order_key)
        self._unremembered = self._decisions.keys() - kept
        self._lost_orders |= self._intents.keys() - {
            record.cid
            for batch in self._world.journal.followed()
            for record in batch.records
            if isinstance(record, records.OrderIntended)
        }

    def _alone_in_the_lead(self, newcomer: Pod) -> None:
        """Whoever led before must know by now that it does not, if its clock runs at all.

        A bus that lost its memory gives the lease away early, and a newcomer whose monotonic clock stood
        still takes the lead by a lease that is another's by now; the fence has to hold then.
        """
        if self._world.clockwork.now_ms - self._world.lease_forgotten_ms < FORGOTTEN_MS:
            return
        rivals = [
            pod.name
            for pod in self._world.pods
            if pod is not newcomer and pod.alive and _believes_to_lead(pod)
            if not (self._just_slept(pod) or self._just_slept(newcomer))
        ]
        _require(not rivals, "one pod leads at a time", f"{newcomer.name} took over from {rivals}")

    def _just_slept(self, pod: Pod) -> bool:
        """Whether its monotonic clock stood still a moment ago: it believes in a lease that is over."""
        return self._world.clockwork.now_ms < pod.slept_until_ms + FORGOTTEN_MS

    def _accepted(self, decision: Decision) -> None:
        key = (decision.strategy, decision.market)
        newest = self._high.get(key)
        _require(
            newest is None or decision.order_key > newest,
            "no decision at or below the high-water mark is executed",
            f"{decision.id} at {decision.order_key}, mark {newest}",
        )
        self._high[key] = decision.order_key
        self._decisions[decision.id] = decision
        self._accepted_in_log.add(decision.id)
        self._current[decision.market] = decision.id
        self._world.coverage["decision"] += 1

    def _closed(self, record: records.DecisionClosed) -> None:
        _require(record.id in self._decisions, "only what was accepted has an outcome", record.id)
        known = self._outcomes.get(record.id)
        _require(known is None, "every decision ends in one outcome", f"{record.id}: {known} and {record}")
        self._outcomes[record.id] = record
        self._world.coverage[f"outcome {record.outcome}"] += 1

    def _intended(self, pod: Pod, record: records.OrderIntended) -> None:
        _require(record.cid not in self._intents, "client order ids are never reused", record.cid)
        self._intents[record.cid] = record
        since = self._closed_since.get(pod.name)
        if record.purpose is Purpose.PROTECTIVE:
            self._world.coverage["protective order"] += 1
            self._note_replaced(record.market, "protection")
        elif record.side is Side.BUY:
            stopped = record.decision_id in self._stopped
            _require(not stopped, "what protection sold is not bought back", record.cid)
        if record.decision_id in self._unremembered and record.purpose is not Purpose.PROTECTIVE:
            self._not_again(record)
        late = record.side is Side.BUY and since is not None and record.deadline_ms > since + 50
        _require(not late, "nothing is opened in a closed state", f"{record} by {pod.name} since {since}")
        if record.key:
            self._note_replaced(record.market, record.key)
        if record.attempt > 1:
            self._world.coverage["tried again"] += 1
        if record.kind == "PostOnly":
            self._world.coverage["resting order"] += 1

    def _note_replaced(self, market: str, place: str) -> None:
        """The second order in one place of a market came after the first was cancelled."""
        if (market, place) in self._places:
            self._world.coverage["cancel-replace"] += 1
        self._places.add((market, place))

    def _not_again(self, record: records.OrderIntended) -> None:
        """A decision that a lost log had acted on."""
        done = [
            each.sent.cid
            for each in self._world.venue.by_id.values()
            if each.filled and each.sent.cid in self._lost_orders
            if self._intents[each.sent.cid].decision_id == record.decision_id
        ]
        _require(not done, "no decision is executed twice", f"{record.cid} after {done}")

    # --- the pods ---

    def before(self, pod: Pod, event: fx.Input) -> None:
        if isinstance(event, fx.ControlRead):
            closed = event.kill or event.spec.state in _CLOSED
            if not closed:
                self._closed_since.pop(pod.name, None)
            else:
                self._closed_since.setdefault(pod.name, pod.core.ctx.clock.exchange_ms(pod.mono_ms))

    def let_go(self, pod: Pod, effect: fx.Send) -> None:
        """A pod decided to send: only what is durable, and only while it may lead.

        A pod whose monotonic clock lost time cannot know better; there the deadline has to hold.
        """
        _require(effect.cid in self._intents, "an order leaves after its intent is durable", effect.cid)
        deposed = self._holder != pod.name and not self._just_slept(pod)
        recent = self._world.clockwork.now_ms - self._world.lease_forgotten_ms < FORGOTTEN_MS
        _require(
            not deposed or recent or effect.cid in self._lost_orders,
            "no order is let go by a pod that was deposed",
            f"{effect.cid} by {pod.name}",
        )

    def answered(self, reply: DecisionReply) -> None:
        """What a strategy was told to be accepted it forgets, so it must not be lost."""
        known = reply.id in self._decisions or self._world.journal_lost
        known = known or reply.answer is not Answer.ACCEPTED
        _require(known, "a decision is called accepted when it is durable", reply.id)

    def leaves(self, effect: fx.Send) -> None:
        _require(effect.cid not in self._sent, "a client order id is sent once", effect.cid)
        self._sent.add(effect.cid)

    def cancelled(self, cid: str) -> None:
        _require(cid in self._intents, "orders of others are never touched", cid)

    # --- the exchange ---

    def order_changed(self, resident: Resident, trade: TradeReport | None) -> None:
        intent = self._intents[resident.sent.cid]
        if trade is not None:
            self._not_beyond(resident, trade)
        elif resident.status is VenueStatus.OPEN and not resident.filled and not resident.amended:
            self._covered(resident)
            if intent.purpose is Purpose.PROTECTIVE:
                return
            self._within_limits(resident)
            self._one_a_key(resident)
            self._alone(resident)

    def _covered(self, resident: Resident) -> None:
        """Working sells, a pair once, never exceed what the account holds."""
        market, venue = resident.sent.market, self._world.venue
        if resident.sent.side is Side.SELL:
            locked, held = venue.locked(market), venue.position[market]
            _require(
                locked <= held + DUST,
                "working sells never exceed the position",
                f"{market}: {locked} of {held} with {resident.sent.cid}",
            )

    def _not_beyond(self, resident: Resident, trade: TradeReport) -> None:
        market, position = trade.market, self._world.venue.position[trade.market]
        _require(position >= -DUST, "a position never crosses zero", f"{market} {position}")
        intent = self._intents[resident.sent.cid]
        decision = self._decisions.get(intent.decision_id)
        want = decision.want if decision else None
        if intent.purpose is Purpose.PROTECTIVE:
            return
        if isinstance(want, Target) and not self._shared(market, intent):
            beyond = position - want.quantity
            if trade.side is Side.SELL:
                beyond = -beyond - self._protected_since(market, intent.deadline_ms)
            _require(
                beyond <= DUST,
                "a position is never beyond its target",
                f"{market} at {position}, {want.quantity} wanted by {intent.decision_id}, order {intent.cid}",
            )
        elif isinstance(want, RestingOrders):
            self._within_key(intent, want, trade)

    def _protected_since(self, market: str, time_ms: int) -> Decimal:
        """What protective orders have sold since then: an order of before knows nothing of it."""
        guards = (
            each
            for each in self._world.venue.by_id.values()
            if each.filled and each.sent.market == market
            if self._intents[each.sent.cid].purpose is Purpose.PROTECTIVE
        )
        return sum((t.quantity for each in guards for t in each.trades if t.time_ms >= time_ms), ZERO)

    def _shared(self, market: str, intent: records.OrderIntended) -> bool:
        """Whether a newer resting set already trades beside what is left of this decision."""
        return self._placed.get(market, intent.decision_id) != intent.decision_id

    def _alone(self, resident: Resident) -> None:
        """Orders come in the order of their decisions; one for a target never meets another decision's."""
        intent = self._intents[resident.sent.cid]
        market, mine = intent.market, self._decisions[intent.decision_id]
        newest = self._decisions.get(self._placed.get(market, ""))
        late = newest is not None and newest.strategy == mine.strategy and newest.order_key > mine.order_key
        late = late and not self._left_no_trace(self._placed[market])
        _require(not late, "no order of a superseded decision arrives after its successor's", intent.cid)
        self._placed[market] = mine.id
        if isinstance(mine.want, Target):
            others = [
                each.sent.cid
                for each in self._world.venue.by_id.values()
                if each.remaining and each.sent.market == market and each is not resident
                if self._intents[each.sent.cid].purpose is not Purpose.PROTECTIVE
            ]
            _require(
                not others, "an order for a target is alone in its market", f"{intent.cid} beside {others}"
            )

    def _left_no_trace(self, decision: str) -> bool:
        """Whether a log that lost its end lost this decision, and nothing at the exchange proves it."""
        return decision in self._unremembered and not any(
            each.filled or each.remaining
            for each in self._world.venue.by_id.values()
            if self._intents[each.sent.cid].decision_id == decision
        )

    def _within_key(self, intent: records.OrderIntended, want: RestingOrders, trade: TradeReport) -> None:
        key = (intent.decision_id, intent.key)
        self._filled[key] += trade.quantity
        wanted = next(order.quantity for order in want.orders if order.key == intent.key)
        _require(
            self._filled[key] <= wanted + DUST,
            "a resting order fills at most once",
            f"{key}: {self._filled[key]} of {wanted}",
        )

    def _within_limits(self, resident: Resident) -> None:
        if resident.sent.side is Side.SELL:
            return
        spec, venue = self._world.control[1], self._world.venue
        worst = {market: venue.position[market] for market in MARKETS}
        for each in venue.by_id.values():
            if each.sent.side is Side.BUY:
                worst[each.sent.market] += each.remaining
        total = sum(worst[market] * PRICE[market] for market in MARKETS)
        limit = spec.markets[0].max_position_notional or ZERO
        first = worst[MARKETS[0]] * PRICE[MARKETS[0]]
        _require(first <= limit, "exposure stays within the market's limit", f"{first} of {limit}")
        whole = spec.risk.max_position_notional
        _require(total <= whole, "exposure stays within the account's limit", f"{total} of {whole}")

    def _one_a_key(self, resident: Resident) -> None:
        intent = self._intents.get(resident.sent.cid)
        if intent is None or not intent.key:
            return
        others = [
            each
            for each in self._world.venue.by_id.values()
            if each is not resident and each.remaining and each.sent.market == intent.market
        ]
        rivals = [each.sent.cid for each in others if self._intents[each.sent.cid].key == intent.key]
        _require(
            not rivals, "a key has one order", f"{intent.key} of {intent.market}: {intent.cid}, {rivals}"
        )

    # --- at rest ---

    def breach(self) -> str:
        """The id of the breach that the leader reports, if any."""
        leader = self._leader()
        found = leader.core.ctx.book.losses.breach if leader is not None else None
        return found.id if found is not None else ""

    def listening(self) -> bool:
        """Whether somebody leads by the newest specification and knows what the exchange did before."""
        leader = self._leader()
        if leader is None or any(not pod.alive or pod.paused for pod in self._world.pods):
            return False
        ctx = leader.core.ctx
        current = ctx.generation == self._world.control[0]
        ready = current and ctx.ready and ctx.knows_clock
        ready = ready and not ctx.book.restoring and ctx.book.losses.breach is None
        return ready and self._knows_log(leader) and self._knows_orders(leader)

    def settled(self) -> bool:
        """Whether nothing is under way: decided, closed, answered, and somebody leads."""
        world = self._world
        if world.in_flight or self._open() or any(not pod.alive or pod.paused for pod in world.pods):
            return False
        leader = self._leader()
        if leader is None or leader.core.ctx.generation != world.control[0]:
            return False
        unsettled = [order for order in leader.core.ctx.book.unsettled() if not order.resting]
        heard = self._last_words_heard() and self._knows_orders(leader)
        done = leader.core.ctx.outbox.idle and not unsettled and heard
        if world.plan.ending in ("Active", "Paused"):
            return done and not self._bare()
        return done and not self._live()

    def _knows_orders(self, leader: Pod) -> bool:
        """Whether its book has the exchange's open orders, none ended that it still asks for, and every fill;
        what its stream has lost it learns by comparing."""
        book, held = leader.core.ctx.book, self._world.venue.position
        known = {order.cid for order in book.unsettled()}
        counted = all(book.ledger.quantity(market) == held[market] for market in MARKETS)
        return counted and known == {each.sent.cid for each in self._live()}

    def _knows_log(self, leader: Pod) -> bool:
        """Whether the log ends with what it wrote last: nothing was lost that nobody knows of yet."""
        newest = self._world.journal.history[-1:]
        return [batch.id for batch in newest] == [leader.core.ctx.outbox.batch_id]

    def at_rest(self) -> None:
        """Everything that a history promises in the end."""
        self._progress()
        book = self._replayed()
        self._agreement(book)
        self._last_words(book)

    def _bare(self) -> list[str]:
        """Markets whose position lacks the stop or profit that it should have, as far as one can rest."""
        return [market for market in MARKETS if not self._is_protected(market)]

    def _is_protected(self, market: str) -> bool:
        world = self._world
        decision = [d for d in world.decisions.values() if d.market == market][-1]
        last, outcome = decision.want, self._outcomes.get(decision.id)
        if outcome is None or outcome.outcome is not Outcome.REACHED:
            return True
        asked = [share > 0 for share in world.plan.default_guard]
        if isinstance(last, Target):
            found = (last.stop_loss, last.take_profit, last.trailing_stop)
            asked = [share or each is not None for share, each in zip(asked, found, strict=True)]
        stop, profit = asked[0] or asked[2], asked[1]
        live = [each for each in self._live() if each.sent.market == market]
        mine = [e for e in live if self._intents[e.sent.cid].purpose is Purpose.PROTECTIVE]
        stops = sum(each.remaining for each in mine if each.sent.trigger is not None)
        profits = sum(each.remaining for each in mine if each.sent.trigger is None)
        held = world.venue.position[market]
        least = held - max(held * Decimal("0.011"), Decimal(6) / PRICE[market])
        stop_rests, profit_rests = stop and world.plan.stops, profit and (world.plan.pairs or not stop)
        profit_rests = profit_rests if world.plan.stops else profit
        return (not stop_rests or stops >= least) and (not profit_rests or profits >= least)

    def _progress(self) -> None:
        world, leader = self._world, self._leader()
        _require(leader is not None, "somebody leads after the faults", "nobody")
        _require(not self._open(), "every decision ends in one outcome", f"open: {sorted(self._open())}")
        _require(self._last_words_heard(), "the last decisions are taken in", "")
        stuck = [] if leader is None else [o.cid for o in leader.core.ctx.book.unsettled() if not o.resting]
        _require(not stuck, "no order stays unsettled", f"{stuck}")
        _require(not world.in_flight, "the exchange is at rest", str(world.in_flight))

    def _leader(self) -> Pod | None:
        return next((pod for pod in self._world.pods if pod.alive and pod.core.ctx.leading), None)

    def _open(self) -> set[str]:
        return self._accepted_in_log - set(self._outcomes)

    def _last_words_heard(self) -> bool:
        last = list(self._world.decisions.values())[-len(MARKETS) :]
        return all(self._high.get((d.strategy, d.market), ()) >= d.order_key for d in last)

    def _live(self) -> list[Resident]:
        return [each for each in self._world.venue.by_id.values() if each.remaining]

    def _replayed(self) -> Book:
        """The book as a new leader would fold it from the whole history."""
        book = Book()
        for batch in self._world.journal.followed():
            for record in batch.records:
                book.apply(record)
        return book

    def _agreement(self, book: Book) -> None:
        venue = self._world.venue
        for market in MARKETS:
            ledger, truth = book.ledger.quantity(market), venue.position[market]
            _require(
                ledger == truth, "log and exchange agree", f"{market}: ledger {ledger}, exchange {truth}"
            )
        trades = {(t.market, t.trade_id, t.order_id) for r in venue.by_id.values() for t in r.trades}
        _require(trades == self._trades, "every trade is recorded", f"{trades ^ self._trades}")
        for resident in venue.by_id.values():
            order = book.orders.get(resident.sent.cid)
            matters = resident.remaining or resident.filled or not self._lost_orders
            _require(order is not None or not matters, "every order is in the log", resident.sent.cid)
        live = {each.sent.cid for each in self._live()}
        known = {order.cid for order in book.unsettled()}
        _require(live == known, "open orders agree", f"exchange {live}, log {known}")
        sizes = {each.sent.cid: each.sent.quantity for each in self._live()}
        logged = {cid: book.orders[cid].quantity for cid in live}
        _require(sizes == logged, "open orders are as large as in the log", f"exchange {sizes}, log {logged}")

    def _last_words(self, book: Book) -> None:
        world = self._world
        if world.plan.ending in ("Active", "Paused"):
            _require(not self._bare(), "a position is protected as it was asked for", f"{self._bare()}")
        else:
            _require(not self._live(), f"{world.plan.ending} leaves no order", f"{len(self._live())} live")
        for market, filters in zip(MARKETS, FILTERS, strict=True):
            position, mid = world.venue.position[market], Decimal(PRICE[market])
            if world.plan.ending == "Flatten":
                band = dead_band(ZERO, mid, filters, ZERO)
                _require(position < band * 2, "Flatten sells what is held", f"{market} {position}")
            elif world.plan.ending == "Active":
                self._reached(market, position, dead_band)

    def _reached(self, market: str, position: Decimal, band_of: object) -> None:
        last = [d for d in self._world.decisions.values() if d.market == market][-1]
        want, outcome = last.want, self._outcomes.get(last.id)
        if not isinstance(want, Target):
            return
        filters = next(f for f in FILTERS if f.market == market)
        band = dead_band(want.quantity, Decimal(PRICE[market]), filters, Decimal("0.01"))
        if outcome is not None and outcome.code == "ProtectionFilled" and self._stopped[last.id]:
            return  # a new decision may enter again
        _require(
            outcome is not None and outcome.outcome is Outcome.REACHED,
            "the last decision is reached",
            f"{market}: {outcome}",
        )
        _require(
            -band - self._stopped[last.id] <= position - want.quantity <= band,
            "the position equals the newest target",
            f"{market}: {position}, {want.quantity} wanted",
        )


def _believes_to_lead(pod: Pod) -> bool:
    lead = pod.core.ctx.lead
    return lead.claimed and not lead.released and pod.mono_ms < lead.lease_until_ms


def _require(holds: bool, invariant: str, detail: str) -> None:
    if not holds:
        raise ViolationError(invariant, detail)

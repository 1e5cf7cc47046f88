"""What the exchange's journal shows of orders and positions, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from smarttrade.exchange.reports import OrderKind, TradeReport, VenueStatus
from smarttrade.execution.effects import Send
from smarttrade.execution.orders import Purpose
from smarttrade.execution.records import OrderIntended
from smarttrade.messages import Side
from smarttrade.simulator.journal import JournalEntry
from tests.simulation.plan import MARKETS
from tests.simulation.venue import Resident, locked_by

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_ENDED = {
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "EXPIRED": VenueStatus.EXPIRED,
    "REJECTED": VenueStatus.REJECTED,
}


class Shown:
    """`intents` are those of the log so far, by client order id; every order must have one."""

    def __init__(self, intents: Mapping[str, OrderIntended]) -> None:
        self.by_id: dict[str, Resident] = {}
        self.position = dict.fromkeys(MARKETS, Decimal(0))
        self._intents = intents
        self._groups: dict[str, Resident] = {}

    def add(self, entry: JournalEntry) -> Resident:
        """A new order. Two whose intents are of one group cancel one another."""
        intent = self._intents[entry.client_order_id]
        resident = Resident(_sent(entry, intent), str(entry.order_id), 0)
        resident.waiting = resident.sent.trigger is not None
        self.by_id[resident.order_id] = resident
        other = self._groups.setdefault(intent.group, resident) if intent.group else resident
        if other is not resident:
            resident.pair, other.pair = other, resident
        return resident

    def change(self, entry: JournalEntry) -> TradeReport | None:
        """What became of one that is known; the trade, if it is one."""
        resident, trade = self.of(entry), None
        if entry.kind == "REPLACED":
            resident.lower(Decimal(entry.quantity))
        elif entry.kind == "TRIGGERED":
            resident.waiting = False
        elif entry.kind == "TRADE":
            trade = _trade(entry)
            resident.trades.append(trade)
            resident.filled += trade.quantity
            in_base = entry.commission_asset == entry.symbol.partition("/")[0]
            received = trade.quantity - (trade.fee if in_base else 0)
            self.position[trade.market] += received if trade.side is Side.BUY else -trade.quantity
        resident.status = _ENDED.get(entry.status, resident.status)
        return trade

    def of(self, entry: JournalEntry) -> Resident:
        return self.by_id[str(entry.order_id)]

    def locked(self, market: str) -> Decimal:
        return locked_by(self.by_id.values(), market)

    def guards(self, market: str) -> list[Resident]:
        """Protective orders that rest."""
        return [each for each in self._resting(market) if self._is_guard(each)]

    def others(self, market: str) -> list[Resident]:
        """What rests and protects nothing."""
        return [each for each in self._resting(market) if not self._is_guard(each)]

    def _resting(self, market: str) -> list[Resident]:
        return [each for each in self.by_id.values() if each.remaining and each.sent.market == market]

    def _is_guard(self, resident: Resident) -> bool:
        return self._intents[resident.sent.cid].purpose is Purpose.PROTECTIVE


def replay(journal: Iterable[JournalEntry], intents: Mapping[str, OrderIntended]) -> Shown:
    """What all of these lines show."""
    shown = Shown(intents)
    for entry in journal:
        shown.add(entry) if entry.kind == "NEW" else shown.change(entry)
    return shown


def _sent(entry: JournalEntry, intent: OrderIntended) -> Send:
    trigger = Decimal(entry.stop_price)
    return Send(
        cid=entry.client_order_id,
        market=entry.symbol,
        side=SIDES[entry.side],
        kind=OrderKind(intent.kind),
        price=Decimal(entry.price),
        quantity=Decimal(entry.quantity),
        deadline_ms=intent.deadline_ms,
        window_ms=intent.window_ms,
        leave_by_ms=0.0,
        trigger=trigger or None,
    )


def _trade(entry: JournalEntry) -> TradeReport:
    return TradeReport(
        trade_id=str(entry.trade_id),
        order_id=str(entry.order_id),
        market=entry.symbol,
        side=SIDES[entry.side],
        price=Decimal(entry.last_price),
        quantity=Decimal(entry.last_quantity),
        fee=Decimal(entry.commission),
        fee_asset=entry.commission_asset or "",
        maker=entry.is_maker,
        time_ms=entry.time_ms,
    )

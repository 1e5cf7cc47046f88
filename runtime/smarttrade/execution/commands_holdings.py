"""What only a person can know: the fate of an order that the exchange does not tell, holdings from outside.

Both change the ledger on somebody's word, so each is refused wherever it could count something twice: while
the exchange may still accept the order, while anything is under way in the market, or beyond the wallet.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.execution import commands_wire as wire
from smarttrade.execution.commands_wire import Line, Result
from smarttrade.execution.context import Context
from smarttrade.execution.effects import Publish
from smarttrade.execution.orders import RESOLVED_BY_HAND, Order, OrderState
from smarttrade.execution.records import FillRecorded, OrderMoved
from smarttrade.execution.resolution import Resolution
from smarttrade.execution.targets import middle
from smarttrade.messages import Fill, Side

_TRADE = "by-hand"


class Holdings:
    """Changes of the ledger by hand, as log records."""

    def __init__(self, ctx: Context, resolution: Resolution) -> None:
        self._ctx = ctx
        self._resolution = resolution

    def resolve(self, command: wire.ResolveOrder) -> Line:
        """End an order on somebody's word, where the exchange does not tell what became of it."""
        order = self._ctx.book.orders.get(command.order)
        differing = {each.cid: told for each, told in self._ctx.book.differing()}
        if order is not None and order.cid in differing:
            return self._agree(command, order, differing[order.cid])
        refusal = self._resolve_refusal(command, order)
        if refusal or order is None:
            return Line(subject=command.order, result=Result.REFUSED, message=refusal)
        if not command.filled and order.state is not OrderState.UNKNOWN:
            self._resolution.forgotten(order)
            text = f"taken for ended, {order.recorded:f} filled; what the exchange shows beyond that counts"
        elif not command.filled:
            self._resolution.void(order, RESOLVED_BY_HAND)
            text = "taken for never placed; if the exchange shows it after all, its fills count and are told"
        else:
            self._take_filled(order, command.filled, command.price or order.price)
            text = f"taken for filled: {command.filled:f} at {command.price or order.price:f}"
        return Line(subject=order.cid, result=Result.DONE, message=text)

    def _resolve_refusal(self, command: wire.ResolveOrder, order: Order | None) -> str:
        ctx = self._ctx
        if order is None:
            return "not an order in this account's log; `smarttrade orders` lists them"
        if not self._in_doubt(order):
            return f"its fate is known: {order.state}; only what the exchange does not tell is resolved so"
        if not self._resolution.could_not_arrive_any_more(order, ctx.now_ms):
            return "the exchange may still show it: its hold has not surely passed; repeat in some seconds"
        if command.filled is not None and not 0 <= command.filled <= order.quantity:
            return f"--filled {command.filled:f} is not between 0 and the order's quantity {order.quantity:f}"
        least = order.filled if order.ended else order.recorded
        if (command.filled or order.recorded) < least:
            return f"the exchange has told of {least:f} filled: give at least that with --filled"
        return _price_refusal(command)

    def _agree(self, command: wire.ResolveOrder, order: Order, told: Decimal) -> Line:
        """Bring what the ledger has of an order to the sum that the exchange tells."""
        more = told - order.recorded
        bought = more if order.side is Side.BUY else -more
        held = self._ctx.position(order.market)
        refusal = _price_refusal(command)
        if command.filled != told:
            refusal = f"the exchange tells of {told:f} filled: give that with --filled"
        elif not refusal and held + bought < 0:
            refusal = f"the ledger holds {held:f} only, {-bought:f} would go: `smarttrade adopt` first"
        if refusal:
            return Line(subject=order.cid, result=Result.REFUSED, message=refusal)
        price = command.price or order.price
        self._count(order.market, Side.BUY if bought > 0 else Side.SELL, abs(more), price, order)
        text = f"agreed: {told:f} filled, the ledger holds {held + bought:f} now"
        return Line(subject=order.cid, result=Result.DONE, message=text)

    def _in_doubt(self, order: Order) -> bool:
        """Unknown, or not known to the exchange any more, or ended with fills whose trades do not come."""
        sought = order.cid in self._ctx.probes
        return order.state is OrderState.UNKNOWN or sought or (order.ended and not order.settled)

    def _take_filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        state = OrderState.FILLED if quantity == order.quantity else OrderState.CANCELED
        counted = order.recorded
        state = order.state if order.ended else state
        self._ctx.record(
            OrderMoved(
                cid=order.cid,
                state=state,
                order_id="",
                filled=quantity,
                time_ms=self._ctx.exchange_ms,
                code=RESOLVED_BY_HAND,
            )
        )
        if quantity > counted:
            self._count(order.market, order.side, quantity - counted, price, order)

    def adopt(self, command: wire.AdoptHolding) -> Line:
        """Bring the ledger in line with holdings that came or went outside of this account's orders."""
        price = command.price or self._mid(command.market)
        refusal = self._adopt_refusal(command, price)
        if refusal or price is None:
            return Line(subject=command.market, result=Result.REFUSED, message=refusal)
        side = Side.BUY if command.quantity > 0 else Side.SELL
        self._count(command.market, side, abs(command.quantity), price)
        self._ctx.problems.pop("BalanceShortfall", None)
        held = self._ctx.position(command.market)
        text = f"the ledger holds {held:f} now, {command.quantity:+f} at {price:f}"
        return Line(subject=command.market, result=Result.DONE, message=text)

    def _adopt_refusal(self, command: wire.AdoptHolding, price: Decimal | None) -> str:
        ctx, market = self._ctx, command.market
        listed = ctx.spec is not None and any(each.symbol == market for each in ctx.spec.markets)
        if not listed and market not in ctx.left:
            return f"{market} is not in spec.markets"
        if not command.quantity:
            return "the quantity is 0: give what was added, or a negative number for what was taken away"
        if price is None or price <= 0:
            return "there is no quote to value it at: give --price"
        if ctx.book.unsettled(market):
            return "orders of this market are open or in doubt: pause the account and cancel them first"
        after = ctx.position(market) + command.quantity
        if after < 0:
            return f"the ledger holds {ctx.position(market):f} only: no more than that can be taken out"
        return self._beyond_wallet(market, after) if command.quantity > 0 else ""

    def _beyond_wallet(self, market: str, after: Decimal) -> str:
        ctx, base = self._ctx, market.partition("/")[0]
        if not ctx.lead.reconciled:
            return "the wallet was not read yet: ask again in a moment"
        balance = ctx.balances.get(base)
        total = balance.total if balance else Decimal(0)
        if after <= total:
            return ""
        return f"the ledger would hold {after:f} {base}, the wallet has {total:f}: adopt what is there"

    def _mid(self, market: str) -> Decimal | None:
        held = self._ctx.quotes.get(market)
        return middle(held[0]) if held else None

    def _count(
        self, market: str, side: Side, quantity: Decimal, price: Decimal, order: Order | None = None
    ) -> None:
        """A fill that no exchange reported; its trade id says so, and is unique within the log."""
        ctx = self._ctx
        fill = Fill(
            market=market,
            trade_id=f"{_TRADE}-{ctx.book.epoch}-{ctx.outbox.sequence}-{ctx.book.fills}",
            order_id="",
            client_order_id=order.cid if order else "",
            decision_id=order.decision_id if order else "",
            side=side,
            price=price,
            quantity=quantity,
            fee=Decimal(0),
            fee_asset="",
            maker=False,
            time_ms=ctx.exchange_ms,
        )
        ctx.record(FillRecorded(fill=fill, fee_value=Decimal(0)), Publish(message=fill))


def _price_refusal(command: wire.ResolveOrder) -> str:
    if command.price is not None and command.price <= 0:
        return f"--price {command.price:f} must be above 0"
    return ""

"""Takes in what the exchange says about orders and trades, from whichever way it comes first.

The same order and the same trade arrive by the answer to the order, by the user stream, by a query and by
reconciliation; each counts once. An order's filled quantity may run ahead of its trades: until they are
here the order is not settled, and after a moment they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from smarttrade.exchange.reports import OrderReport, TradeReport
from smarttrade.execution.context import Context
from smarttrade.execution.effects import FetchTrades, Publish
from smarttrade.execution.ledger import ForgottenTradeError, value_fee
from smarttrade.execution.orders import (
    RESOLVED_BY_HAND,
    Order,
    OrderState,
    Purpose,
    state_from_venue,
)
from smarttrade.execution.records import FillRecorded, LossTaken, OrderMoved
from smarttrade.execution.switch import Switch
from smarttrade.messages import Fill

_AGAIN_MS = 1_000.0


class Fills:
    """Order reports and trades into records."""

    def __init__(self, ctx: Context, switch: Switch) -> None:
        self._ctx = ctx
        self._switch = switch
        self._ask_ms: dict[str, float] = {}

    def absorb(self, report: OrderReport) -> Order | None:
        """Bring one order up to date; None if it is not an order of the book."""
        book = self._ctx.book
        order = book.orders.get(report.client_order_id) or book.by_order_id(report.market, report.order_id)
        if order is None or not self._ctx.lead.claimed:
            return None
        if order.code == RESOLVED_BY_HAND and order.state is not OrderState.VOID:
            self._contradicted(order, report)
            return order
        state = state_from_venue(order, report.status, report.filled)
        if state is not None and self._news(order, state, report):
            self._move(order, state, report)
        self.take(report.trades)
        return order

    def take(self, trades: Iterable[TradeReport]) -> None:
        """Count trades of own orders; others are somebody else's."""
        if not self._ctx.lead.claimed:
            return
        for trade in sorted(trades, key=lambda trade: trade.time_ms):
            order = self._ctx.book.by_order_id(trade.market, trade.order_id)
            if order is not None and not self._ctx.book.ledger.knows(trade.market, trade.trade_id):
                self._count(order, trade)

    def chase(self) -> None:
        """Ask for trades that the exchange counted and nobody delivered."""
        ctx = self._ctx
        missing = {o.cid: o for o in ctx.book.unsettled() if o.order_id and o.filled > o.recorded}
        self._ask_ms = {cid: at for cid, at in self._ask_ms.items() if cid in missing}
        for cid, order in missing.items():
            due = self._ask_ms.setdefault(cid, ctx.now_ms + ctx.tuning.trades_wait_ms)
            if ctx.now_ms >= due:
                ctx.emit(FetchTrades(market=order.market, order_id=order.order_id))
                due = self._ask_ms[cid] = ctx.now_ms + _AGAIN_MS
            ctx.wake_at(due)

    def _contradicted(self, order: Order, report: OrderReport) -> None:
        """What a person has told of an order counts already; counting the exchange's trades too would double
        it."""
        if report.filled != order.filled:
            self._ctx.problems["ResolvedOrderDiffers"] = (
                f"order {order.cid} was resolved by hand as filled {order.filled:f}, the exchange says "
                f"{report.filled:f}: `smarttrade adopt {order.market} --quantity DIFFERENCE` sets it right"
            )

    def _news(self, order: Order, state: OrderState, report: OrderReport) -> bool:
        return state is not order.state or report.filled > order.filled or not order.order_id

    def _move(self, order: Order, state: OrderState, report: OrderReport) -> None:
        if order.state is OrderState.VOID:
            self._ctx.problems["VoidedOrderAppeared"] = (
                f"order {order.cid} of {order.market} was held to be void and exists: its fills count"
            )
        before = order.state
        self._ctx.record(
            OrderMoved(
                cid=order.cid,
                state=state,
                order_id=report.order_id,
                filled=report.filled,
                time_ms=report.time_ms,
            )
        )
        self._switch.notice(order, before)
        if order.ended and order.filled < order.quantity and order.purpose is not Purpose.PROTECTIVE:
            self._back_off(order.market)

    def _back_off(self, market: str) -> None:
        """Let the market come back before the rest is tried: longer each time."""
        ctx = self._ctx
        tries = min(ctx.book.market(market).residuals, ctx.tuning.residual_legs)
        ctx.resume_ms[market] = ctx.now_ms + ctx.tuning.residual_backoff_ms * 2 ** max(tries - 1, 0)

    def _count(self, order: Order, trade: TradeReport) -> None:
        fill = Fill(
            market=trade.market,
            trade_id=trade.trade_id,
            order_id=trade.order_id,
            client_order_id=order.cid,
            decision_id=order.decision_id,
            side=trade.side,
            price=trade.price,
            quantity=trade.quantity,
            fee=trade.fee,
            fee_asset=trade.fee_asset,
            maker=trade.maker,
            time_ms=trade.time_ms,
        )
        before = self._ctx.book.ledger.holding(fill.market).realized_pnl
        try:
            self._ctx.record(FillRecorded(fill=fill, fee_value=self._fee_value(fill)), Publish(message=fill))
        except ForgottenTradeError as error:
            self._ctx.problems["ForgottenTrade"] = str(error)
            return
        self._note_loss(fill, before)

    def _note_loss(self, fill: Fill, before: Decimal) -> None:
        holding = self._ctx.book.ledger.holding(fill.market)
        if fill.side == "Sell" and holding.realized_pnl < before:
            self._ctx.record(LossTaken(market=fill.market, time_ms=fill.time_ms))

    def _fee_value(self, fill: Fill) -> Decimal:
        value = value_fee(fill, self._prices())
        if value is None:
            self._ctx.problems["FeeUnvalued"] = (
                f"a fee of {fill.fee} {fill.fee_asset} has no price in the account's currency and counts as 0"
            )
            return Decimal(0)
        return value

    def _prices(self) -> dict[str, Decimal]:
        return {market.partition("/")[0]: quote.bid for market, (quote, _) in self._ctx.quotes.items()}

"""Commands that a person gives by hand, as the core carries them out.

Every command is written to the account's log before anything else of it. Cancels do not wait for that: they
do no harm and may be all that still works. An answer is given when the outcome is known, or when patience
ends, and then says what is not known.

Only the leader may change anything; a standby's book may be behind. `Halt` alone works on every pod: nothing
is sent by a pod that was told so, whatever the bus says later, until the object's own word has been read;
how the others learn of it is in `halting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from smarttrade.execution import commands_wire as wire
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.cancelling import Cancelling
from smarttrade.execution.commands_holdings import Holdings
from smarttrade.execution.commands_wire import Answer, Line, Result
from smarttrade.execution.context import Context
from smarttrade.execution.decisions import Decisions
from smarttrade.execution.effects import Cancel, CommandAnswered, CommandReceived
from smarttrade.execution.flatten import FLATTEN_STRATEGY, build_exit
from smarttrade.execution.halting import Halting
from smarttrade.execution.orders import Order, OrderState
from smarttrade.execution.policy import allows_reducing
from smarttrade.execution.records import Instructed
from smarttrade.execution.resolution import Resolution
from smarttrade.messages import Outcome

PATIENCE_MS = 5_000.0
CLOSE_PATIENCE_MS = 15_000.0


@dataclass(slots=True)
class _Waiting:
    """A command whose outcome is not known yet; `look` gives a line for each subject."""

    token: int
    until_ms: float
    look: Callable[[], tuple[Line, ...]]


class Commands:
    """Takes commands, carries them out, answers each once."""

    def __init__(
        self,
        ctx: Context,
        decisions: Decisions,
        accounting: Accounting,
        cancelling: Cancelling,
        resolution: Resolution,
        halting: Halting,
    ) -> None:
        self._ctx = ctx
        self._decisions = decisions
        self._accounting = accounting
        self._cancelling = cancelling
        self._halting = halting
        self._holdings = Holdings(ctx, resolution)
        self._waiting: list[_Waiting] = []

    def receive(self, event: CommandReceived) -> None:
        """Begin one command; it is answered now or later."""
        command, token = event.command, event.token
        if isinstance(command, wire.ListOrders):
            self._answer(token, (), orders=tuple(row_of(order) for order in self._ctx.book.unsettled()))
        elif isinstance(command, wire.Halt):
            self._halting.order(command)
            self._answer(token, ())
        elif not self._ctx.lead.claimed or self._ctx.lead.released:
            self._refuse(token, "NotLeading", "this pod does not lead; ask the one that does")
        else:
            self._note(command)
            self._carry_out(command, token)

    def advance(self) -> None:
        """Answer what is decided, and what has taken too long."""
        ctx = self._ctx
        for waiting in list(self._waiting):
            lines = waiting.look()
            open_ = any(line.result is Result.UNKNOWN for line in lines)
            if not open_ or ctx.now_ms >= waiting.until_ms:
                self._waiting.remove(waiting)
                self._answer(waiting.token, lines)
            else:
                ctx.wake_at(waiting.until_ms)

    def _carry_out(self, command: wire.AnyCommand, token: int) -> None:
        match command:
            case wire.CancelOrders():
                self._cancel(command, token)
            case wire.ClosePositions():
                self._close(command, token)
            case wire.ResolveOrder():
                self._answer_when_durable(token, self._holdings.resolve(command))
            case wire.AdoptHolding():
                self._answer_when_durable(token, self._holdings.adopt(command))

    # --- cancel ---

    def _cancel(self, command: wire.CancelOrders, token: int) -> None:
        unsettled = [order.cid for order in self._ctx.book.unsettled() if not order.ended]
        wanted = tuple(unsettled) if command.everything else command.orders
        for order in self._known(wanted):
            if order.state is OrderState.UNKNOWN:
                self._ctx.emit(Cancel(cid=order.cid, market=order.market, order_id=order.order_id))
            self._cancelling.request(order)
        self._wait(token, PATIENCE_MS, lambda: tuple(self._fate(cid) for cid in wanted))

    def _known(self, cids: Iterable[str]) -> list[Order]:
        orders = self._ctx.book.orders
        return [orders[cid] for cid in cids if cid in orders]

    def _fate(self, cid: str) -> Line:
        order = self._ctx.book.orders.get(cid)
        if order is None:
            return Line(
                subject=cid,
                result=Result.REFUSED,
                message="not an order in this account's log; `smarttrade orders` lists them, and an order of "
                "somebody else's is cancelled at the exchange",
            )
        if order.ended:
            filled = f", {order.filled:f} of {order.quantity:f} filled" if order.filled else ""
            return Line(subject=cid, result=Result.DONE, message=f"ended as {order.state}{filled}")
        if order.state in (OrderState.UNKNOWN, OrderState.PENDING_NEW):
            text = "its fate is not known yet; a cancel was sent and the exchange is being asked"
        else:
            text = "the cancel was sent and is not confirmed; it is repeated every second until it is"
        return Line(subject=cid, result=Result.UNKNOWN, message=text)

    # --- close ---

    def _close(self, command: wire.ClosePositions, token: int) -> None:
        held = self._ctx.book.ledger.held()
        looks = [self._begin_close(market, command.by) for market in (command.markets or held)]
        self._wait(token, CLOSE_PATIENCE_MS, lambda: tuple(look() for look in looks))

    def _begin_close(self, market: str, by: str) -> Callable[[], Line]:
        refusal = self._close_refusal(market)
        if refusal is not None:
            return lambda: refusal
        ctx = self._ctx
        before = ctx.book.market(market).high_water.get(FLATTEN_STRATEGY)
        decision = build_exit(ctx.identity, market, ctx.exchange_ms, before, ctx.generation)
        decision = msgspec.structs.replace(decision, reason=f"closed by hand by {by or 'somebody'}")
        self._decisions.watched[decision.id] = None
        self._decisions.accept(decision)
        return lambda: self._closing(market, decision.id)

    def _close_refusal(self, market: str) -> Line | None:
        ctx, state = self._ctx, self._accounting.state(market)
        if ctx.position(market) <= 0:
            return Line(subject=market, result=Result.DONE, message="nothing is held")
        if not ctx.ready:
            text = "this pod may send no orders now: cut off from the bus, or not compared with the exchange"
        elif not allows_reducing(state.state):
            text = f"the account is {state.explanation}; `smarttrade flatten` sells everything in any state"
        else:
            return None
        return Line(subject=market, result=Result.REFUSED, message=text)

    def _closing(self, market: str, decision: str) -> Line:
        ended = self._decisions.watched.get(decision)
        left = f"{self._ctx.position(market):f} {market.partition('/')[0]} held now"
        if ended is None:
            text = f"the sale is under way, {left}; it goes on unless the strategy decides anew"
            return Line(subject=market, result=Result.UNKNOWN, message=text)
        outcome, code, message = ended
        if outcome is Outcome.REACHED:
            return Line(subject=market, result=Result.DONE, message=f"sold, {left}")
        text = f"not sold: {outcome} {code} {message}".rstrip() + f"; {left}"
        return Line(subject=market, result=Result.REFUSED, message=text)

    # --- answers ---

    def _note(self, command: wire.AnyCommand) -> None:
        text = wire.encode(command).decode()
        self._ctx.record(Instructed(command=text, by=command.by, time_ms=self._ctx.exchange_ms))

    def _wait(self, token: int, patience_ms: float, look: Callable[[], tuple[Line, ...]]) -> None:
        self._waiting.append(_Waiting(token, self._ctx.now_ms + patience_ms, look))

    def _refuse(self, token: int, code: str, message: str) -> None:
        line = Line(subject=self._ctx.holder, result=Result.REFUSED, message=message)
        self._answer(token, (line,), code=code)

    def _answer(
        self, token: int, lines: tuple[Line, ...], code: str = "", orders: tuple[wire.OrderRow, ...] = ()
    ) -> None:
        self._ctx.emit(CommandAnswered(token=token, answer=self._build(lines, code, orders)))

    def _answer_when_durable(self, token: int, line: Line) -> None:
        self._ctx.outbox.after(CommandAnswered(token=token, answer=self._build((line,))))

    def _build(
        self, lines: tuple[Line, ...], code: str = "", orders: tuple[wire.OrderRow, ...] = ()
    ) -> Answer:
        return Answer(
            pod=self._ctx.holder,
            leading=self._ctx.leading,
            state=str(self._accounting.state().state),
            result=wire.worst(lines),
            code=code,
            lines=lines,
            orders=orders,
        )


def row_of(order: Order) -> wire.OrderRow:
    """An order of the book as a person sees it."""
    return wire.OrderRow(
        order=order.cid,
        market=order.market,
        side=str(order.side),
        price=order.price,
        quantity=order.quantity,
        filled=order.filled or Decimal(0),
        state=str(order.state),
        purpose=str(order.purpose),
    )

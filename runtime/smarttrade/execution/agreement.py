"""Where the exchange has contradicted the log, and until when nothing new may be bought for it.

An order that the log had ended and that shows after all is disagreed about until a comparison made since
then finds it ended there too, or open here too: new exposure waits, which is a moment. A sum of fills that
differs from the ledger's is set right by a person only, who may know why: new exposure is denied until then,
by every leader, for the log has it. What appeared is this process's knowledge: the next one compares first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from smarttrade.execution.book import Book
from smarttrade.execution.orders import FORGOTTEN, Order, OrderState
from smarttrade.execution.view import Hold


@dataclass(slots=True)
class Agreement:
    """`appeared`: orders that show after all, with the reason's name and since when on our clock. `seen`: the
    newest order that appeared for each reason."""

    appeared: dict[str, tuple[str, float]] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)

    def surface(self, order: Order, now_ms: float) -> None:
        """The exchange shows an order that had ended in the log, whose code and state tell why."""
        if order.state is OrderState.VOID:
            reason, text = "VoidedOrderAppeared", "was held to be void and exists"
        elif order.state is OrderState.REJECTED:
            reason, text = "RejectedOrderAppeared", f"was refused by the exchange ({order.code}) and exists"
        elif order.code == FORGOTTEN:
            reason, text = "ForgottenOrderAppeared", "was not known to the exchange and is open"
        else:
            reason, text = "ResolvedOrderDiffers", "was resolved by hand as ended and is open"
        told = "what was said of it counts" if order.told_by_hand else "what it fills counts"
        self.appeared[order.cid] = (reason, now_ms)
        self.seen[reason] = f"order {order.cid} of {order.market} {text}: {told}"

    def compared(self, book: Book, listed: Collection[str], asked_ms: float) -> None:
        """The exchange's open orders were read; those that had appeared before are agreed about, or not."""
        self.appeared = {
            cid: (reason, since_ms)
            for cid, (reason, since_ms) in self.appeared.items()
            if since_ms > asked_ms or _is_open_there_only(book.orders.get(cid), listed)
        }

    def holds(self, book: Book) -> Iterator[Hold]:
        """What keeps the account from new exposure."""
        for reason in dict.fromkeys(reason for reason, _ in self.appeared.values()):
            yield Hold(reason, self.seen[reason], waits=True)
        for order, told in book.differing():
            reason = "ResolvedOrderDiffers" if order.told_by_hand else "ForgottenTrade"
            text = (
                f"the exchange tells of {told:f} filled by order {order.cid} of {order.market}, the ledger "
                f"has {order.recorded:f}; agree with "
                f"`smarttrade order resolve ACCOUNT {order.cid} --filled {told:f}`"
            )
            yield Hold(reason, text)


def _is_open_there_only(order: Order | None, listed: Collection[str]) -> bool:
    if order is None or not order.ended:
        return False
    return order.cid in listed or (order.order_id != "" and order.order_id in listed)

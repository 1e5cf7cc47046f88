"""Finds another account of SmartTrade on the same exchange account, and takes no new exposure from then on.

Two of them would each hold up to its own limits and neither would know; which one was there first cannot be
told, so each that sees the other stops opening. An order gives the other away by an id of our form that is
not under this account's key: listed as open, told by the user stream, or ended since this leader began to
compare. Older ended ones prove nothing: the account may have been used by one that is gone.

What bites: an id from before ids had keys may be this account's own. One that the log does not know is
neither adopted nor cancelled, for it may be of an installation of the same name; while it is open nothing new
is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smarttrade.exchange.reports import OrderReport, VenueStatus
from smarttrade.execution.context import Context
from smarttrade.execution.identifiers import is_tagged
from smarttrade.execution.view import Hold

SHARED = "SharedExchangeAccount"


class Strangers:
    """What a leader sees of others."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._began_ms: float | None = None

    def compared(self, foreign: Sequence[OrderReport]) -> None:
        """All open orders that neither the log nor the key knows."""
        ctx = self._ctx
        self._began_ms = ctx.now_ms if self._began_ms is None else self._began_ms
        ctx.former = next(
            (o.client_order_id for o in foreign if ctx.ids.may_be_former(o.client_order_id)), ""
        )
        for report in foreign:
            self.see(report)
        self._tell()

    def see(self, report: OrderReport) -> None:
        """An order that the exchange tells of; one of the book is nobody else's."""
        ctx, cid = self._ctx, report.client_order_id
        if ctx.stranger or not is_tagged(cid) or ctx.owns(cid) or ctx.ids.may_be_former(cid):
            return
        if report.status is VenueStatus.OPEN or self._is_recent(report):
            ctx.stranger = (
                f"order {cid} in {report.market} is of another SmartTrade account or installation: give each "
                "its own sub-account; when the other one is gone, restart this account's pods"
            )
            self._tell()

    def _is_recent(self, report: OrderReport) -> bool:
        ctx = self._ctx
        if self._began_ms is None or ctx.clock.error_ms(ctx.now_ms) is None:
            return False
        return ctx.exchange_ms - report.time_ms < ctx.now_ms - self._began_ms

    def _tell(self) -> None:
        self._ctx.problems.pop(SHARED, None)
        for hold in shared(self._ctx):
            self._ctx.problems[SHARED] = hold.message


def shared(ctx: Context) -> Iterator[Hold]:
    """What forbids new exposure."""
    if ctx.stranger:
        yield Hold(SHARED, ctx.stranger)
    elif ctx.former:
        text = (
            f"open order {ctx.former} has an id from before ids had keys and is not in the log: it may be "
            "this account's, or of another installation of the same name; cancel it at the exchange"
        )
        yield Hold(SHARED, text)

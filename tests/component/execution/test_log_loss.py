"""The disk under the log is lost with all that was on it: the exchange tells what the account has done."""

from __future__ import annotations

import shutil
from decimal import Decimal
from typing import Any

from smarttrade.messages import Check, ExecutionReport, OrderStyle
from tests.component.execution.theatre import BTC, ETH, Theatre, eventually


async def lose_the_log(theatre: Theatre) -> None:
    """The pod, the server and its store; what the operator makes anew is an empty log."""
    await theatre.pods["a"].kill()
    await theatre.server.stop(kill=True)
    shutil.rmtree(theatre.server.store_dir / "jetstream")
    await theatre.server.start()
    await theatre._provisioner.ensure_assets(theatre.identity)
    theatre.views.clear()
    theatre.reports.clear()


def told(theatre: Theatre) -> ExecutionReport | None:
    """The leader's newest report, once it says that the log was lost and all of it was compared."""

    def says(checks: list[Check], kind: str, reason: str) -> bool:
        return any((check.type, check.reason) == (kind, reason) for check in checks)

    leading = [report for report in theatre.reports if report.leading]
    if leading and says(leading[-1].checks, "LogLost", "Paused"):
        return leading[-1] if says(leading[-1].checks, "Reconciled", "InAgreement") else None
    return None


async def test_orders_fills_and_the_stop_of_a_lost_log_are_found_at_the_exchange_and_nothing_is_done_twice(
    stage: Any,
) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await theatre.outcome(await theatre.target("1", stop_loss=Decimal(50_000)))
    [stop] = await eventually(theatre.open_orders, "the stop rests")
    foreign = await theatre.place_by_hand(BTC, "50000", "0.1")
    await theatre.target("1", ETH, style=OrderStyle.PASSIVE)
    await eventually(lambda: len(theatre.open_orders()) == 3, "the bid rests")
    held = theatre.bought()

    await lose_the_log(theatre)
    await theatre.control()
    await theatre.start("a")
    report = await eventually(lambda: told(theatre), "the loss is told, and everything was compared")
    assert report.effective_state == "Paused"
    assert {p.market: p.quantity for p in report.positions if p.quantity} == {BTC: held}
    await eventually(
        lambda: set(theatre.open_orders()) == {stop, foreign}, "the bid is gone, the stop protects"
    )

    theatre._event = theatre.exchange.clock.now_ms()
    await theatre.control(acknowledgedBreach=report.breach_id)
    assert await theatre.outcome(await theatre.target("2")) == ("Reached", "")
    assert abs(theatre.bought() - 2) < Decimal("0.02")
    cids = theatre.orders()
    assert len(set(cids)) == len(cids)

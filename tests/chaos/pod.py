"""The execution container as it is delivered, with traps at the places that nothing outside can hit exactly.

`python -m tests.chaos.pod`: a file POD.TRAP in the folder SMARTTRADE_CHAOS_TRAPS strikes at the next order:

* stop-before-send: the process stops after its last check of lease and deadline, before the request;
* kill-before-send: it is killed there;
* kill-after-answer: it is killed when the answer is here, and neither log nor core has seen it;
* kill-after-cancel: the same, of the next cancel: what protected a position is gone, and nothing sold yet.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange import capabilities
from smarttrade.exchange.capabilities import Capability
from smarttrade.exchange.reports import OrderReport
from smarttrade.exchange.venue import NewOrder, Venue
from smarttrade.execution.exchange_link import Exchange
from smarttrade.execution.service import ExecutionService
from smarttrade.execution.setup import build_exchange
from smarttrade.process import run
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings

STOP_BEFORE_SEND, KILL_BEFORE_SEND = "stop-before-send", "kill-before-send"
KILL_AFTER_ANSWER, KILL_AFTER_CANCEL = "kill-after-answer", "kill-after-cancel"
TRAPS = (STOP_BEFORE_SEND, KILL_BEFORE_SEND, KILL_AFTER_ANSWER, KILL_AFTER_CANCEL)


def trap_path(folder: Path, pod: str, trap: str) -> Path:
    return folder / f"{pod}.{trap}"


def lay_traps(venue: Venue, sprung: Callable[[str], bool]) -> None:
    """Put the traps around the requests; `sprung` takes a trap away and says whether it was there."""
    place, place_pair, cancel = venue.place, venue.place_pair, venue.cancel

    def strike(trap: str, number: signal.Signals) -> None:
        if sprung(trap):
            os.kill(os.getpid(), number)

    def checking(may_leave: Callable[[], bool]) -> Callable[[], bool]:
        def checked() -> bool:
            answer = may_leave()
            if answer:
                strike(STOP_BEFORE_SEND, signal.SIGSTOP)
                strike(KILL_BEFORE_SEND, signal.SIGKILL)
            return answer

        return checked

    async def trapped(order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        report = await place(order, checking(may_leave))
        strike(KILL_AFTER_ANSWER, signal.SIGKILL)
        return report

    async def trapped_pair(
        group: str, limit: NewOrder, stop: NewOrder, may_leave: Callable[[], bool]
    ) -> tuple[OrderReport, ...]:
        reports = await place_pair(group, limit, stop, checking(may_leave))
        strike(KILL_AFTER_ANSWER, signal.SIGKILL)
        return reports

    async def trapped_cancel(client_order_id: str, market: str, order_id: str) -> OrderReport:
        report = await cancel(client_order_id, market, order_id)
        strike(KILL_AFTER_CANCEL, signal.SIGKILL)
        return report

    venue.place = trapped  # type: ignore[method-assign]
    venue.place_pair = trapped_pair  # type: ignore[method-assign]
    venue.cancel = trapped_cancel  # type: ignore[method-assign]


def build(spec: TradingAccountSpec, row: Capability, settings: Settings) -> Exchange:
    exchange = build_exchange(spec, row, settings)
    assert isinstance(exchange, Venue)
    folder = Path(os.environ["SMARTTRADE_CHAOS_TRAPS"])

    def sprung(trap: str) -> bool:
        try:
            trap_path(folder, settings.pod, trap).unlink()
        except FileNotFoundError:
            return False
        return True

    lay_traps(exchange, sprung)
    return exchange


def main() -> None:
    def service(settings: Settings, probes: Probes) -> ExecutionService:
        return ExecutionService(settings, probes, build)

    hold = os.environ.get("SMARTTRADE_CHAOS_HOLD_MS")
    if hold:
        capabilities._SIMULATOR_HOLD_MS = int(hold)
    run.main("execution", service)


if __name__ == "__main__":
    main()

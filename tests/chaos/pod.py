"""The execution container as it is delivered, with traps at the places that nothing outside can hit exactly.

`python -m tests.chaos.pod`: a file POD.TRAP in the folder SMARTTRADE_CHAOS_TRAPS strikes at the next order:

* stop-before-send: the process stops after its last check of lease and deadline, before the request;
* kill-before-send: it is killed there;
* kill-after-answer: it is killed when the answer is here, and neither log nor core has seen it.
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
KILL_AFTER_ANSWER = "kill-after-answer"
TRAPS = (STOP_BEFORE_SEND, KILL_BEFORE_SEND, KILL_AFTER_ANSWER)


def trap_path(folder: Path, pod: str, trap: str) -> Path:
    return folder / f"{pod}.{trap}"


def lay_traps(venue: Venue, sprung: Callable[[str], bool]) -> None:
    """Put the traps around the order request; `sprung` takes a trap away and says whether it was there."""
    place = venue.place

    async def trapped(order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        def checked() -> bool:
            answer = may_leave()
            if answer and sprung(STOP_BEFORE_SEND):
                os.kill(os.getpid(), signal.SIGSTOP)
            if answer and sprung(KILL_BEFORE_SEND):
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        report = await place(order, checked)
        if sprung(KILL_AFTER_ANSWER):
            os.kill(os.getpid(), signal.SIGKILL)
        return report

    venue.place = trapped  # type: ignore[method-assign]


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

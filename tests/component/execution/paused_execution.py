"""The execution container with a pause where it hurts most: after the last check, before the order leaves.

`python -m tests.component.execution.paused_execution`: every order whose number is in PAUSE_BEFORE_ORDERS
("1,4") stops the whole process right between the lease check and the request, as a hypervisor might. The
test wakes it up again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.capabilities import Capability
from smarttrade.exchange.reports import OrderReport
from smarttrade.exchange.venue import NewOrder, Venue
from smarttrade.execution.exchange_link import Exchange
from smarttrade.execution.service import ExecutionService
from smarttrade.execution.setup import build_exchange
from smarttrade.process import run
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings


def pause_in(venue: Venue, numbers: set[int]) -> None:
    """Stop this process after the check of the orders with these numbers."""
    place, count = venue.place, [0]

    async def paused(order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        count[0] += 1
        number = count[0]

        def checked() -> bool:
            answer = may_leave()
            if answer and number in numbers:
                os.kill(os.getpid(), signal.SIGSTOP)
            return answer

        return await place(order, checked)

    venue.place = paused  # type: ignore[method-assign]


def build(spec: TradingAccountSpec, row: Capability, settings: Settings) -> Exchange:
    exchange = build_exchange(spec, row, settings)
    assert isinstance(exchange, Venue)
    pause_in(exchange, {int(number) for number in os.environ["PAUSE_BEFORE_ORDERS"].split(",")})
    return exchange


def main() -> None:
    def service(settings: Settings, probes: Probes) -> ExecutionService:
        return ExecutionService(settings, probes, build)

    run.main("execution", service)


if __name__ == "__main__":
    main()

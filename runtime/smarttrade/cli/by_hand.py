"""`smarttrade orders | cancel | close | order resolve | adopt | breach ack`: one account by hand.

All but the last talk to the leading pod; a command that changes something is carried out by it, or by nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from smarttrade.cli.errors import EXIT_FAILED, EXIT_UNKNOWN
from smarttrade.cli.objects import Accounts
from smarttrade.cli.pods import Pods
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.execution.commands_wire import Answer, Command, OrderRow, Result

_ACKNOWLEDGED_S = 10.0
_LOOK_S = 0.2
_EXIT = {Result.DONE: 0, Result.REFUSED: EXIT_FAILED, Result.UNKNOWN: EXIT_UNKNOWN}
_ORIGIN = {
    "Foreign": "foreign: not SmartTrade's, left alone",
    "OtherSmartTrade": "of another SmartTrade account: it must not share this exchange account",
    "NotInLog": "own, not in the log yet: adopted and cancelled at the next comparison",
}
_SEEN = {"Open": "open", "NotListed": "not listed as open", "NotAsked": "not asked"}


class Hand:
    """Commands of one user to one account."""

    def __init__(self, accounts: Accounts, name: str, namespace: str | None) -> None:
        self._accounts = accounts
        self._name = name
        self._namespace = namespace
        self._pods = Pods(accounts, name, namespace)

    def whoami(self) -> str:
        return self._accounts.whoami()

    def ask_leader(self, command: Command) -> Answer:
        """The leading pod's answer; SmartTradeError when no pod leads or none can be asked."""
        complaints = []
        for pod in self._in_order():
            try:
                answer = self._pods.ask(pod, command)
            except ConfigurationError:
                raise
            except SmartTradeError as error:
                complaints.append(str(error))
                continue
            if answer.code != "NotLeading":
                return answer
            complaints.append(f"{pod} does not lead")
        why = "; ".join(complaints) or "no pod of the account runs"
        raise SmartTradeError(f"nothing was done: {why}. See `smarttrade status {self._name}`")

    def ask_anybody(self, command: Command) -> Answer:
        """The leader's answer, or any pod's where none leads."""
        first: Answer | None = None
        complaints = []
        for pod in self._in_order():
            try:
                answer = self._pods.ask(pod, command)
            except ConfigurationError:
                raise
            except SmartTradeError as error:
                complaints.append(str(error))
                continue
            if answer.leading:
                return answer
            first = first or answer
        if first is None:
            raise SmartTradeError("; ".join(complaints) or "no pod of the account runs")
        return first

    def acknowledge(self, breach: str, say: Callable[[str], None]) -> int:
        """Name the breach in the object, and wait until the account has taken note of it."""
        known = (self._read_status().get("breach") or {}).get("id")
        if known != breach:
            there = f"the breach in force is {known}" if known else "no breach is in force"
            raise ConfigurationError(f"{breach} cannot be acknowledged: {there}")
        self._accounts.patch(self._name, self._namespace, {"spec": {"acknowledgedBreach": breach}})
        say(f"spec.acknowledgedBreach is {breach}")
        for status in self._watch(_ACKNOWLEDGED_S):
            if not status.get("breach"):
                say(f"acknowledged: the account is {status.get('effectiveState')} again")
                return 0
        say(f"not taken note of within {_ACKNOWLEDGED_S:.0f} s: see `smarttrade status {self._name}`")
        return EXIT_UNKNOWN

    def _watch(self, patience_s: float) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            yield self._read_status()
            time.sleep(_LOOK_S)

    def _read_status(self) -> dict[str, Any]:
        found: dict[str, Any] = self._accounts.read(self._name, self._namespace).get("status") or {}
        return found

    def _in_order(self) -> list[str]:
        """The pod that is said to lead first."""
        names, leader = self._pods.names(), self._read_status().get("leader")
        return sorted(names, key=lambda pod: (pod != leader, pod))


def print_answer(answer: Answer) -> int:
    """Every subject on a line of its own; the exit code."""
    if answer.message:
        print(f"{answer.result}: {answer.message}")
    for line in answer.lines:
        print(f"{line.result}: {line.subject}: {line.message}")
    if not answer.lines and not answer.message:
        print("nothing to do")
    return _EXIT[answer.result]


def print_orders(answer: Answer, console: Console | None = None) -> int:
    """The account's orders, and what else is open on its exchange account."""
    console = console or Console()
    lead = "leads" if answer.leading else "does not lead: its knowledge may be old"
    console.print(f"pod {answer.pod} {lead}; effective state {answer.state or 'not known yet'}")
    if answer.message:
        console.print(f"[bold]{answer.message}[/bold]")
    if answer.orders:
        console.print(build_orders(answer.orders))
    else:
        console.print("no own order is open or in doubt")
    return _EXIT[answer.result]


def build_orders(orders: tuple[OrderRow, ...]) -> Table:
    table = Table("Order", "Market", "Side", "Price", "Quantity", "Filled", "State", "At the exchange")
    for row in orders:
        table.add_row(
            row.order,
            row.market,
            row.side,
            f"{row.price:f}",
            f"{row.quantity:f}",
            f"{row.filled:f}",
            _ORIGIN.get(row.state, row.state),
            _SEEN.get(row.exchange, row.exchange),
        )
    return table

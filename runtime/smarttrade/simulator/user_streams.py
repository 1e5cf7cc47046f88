"""User data streams: every change of an account's orders, lists and balances, to all who subscribed.

Events reach every subscription in the order in which the exchange made them; faults may delay, double or
swallow them.
"""

import asyncio
from typing import Any

import msgspec

from smarttrade.matching import Account, Execution, ListChange
from smarttrade.simulator import render_user_events
from smarttrade.simulator.connections import Connection, frame
from smarttrade.simulator.faults import EVENT_FAULTS, FaultKind
from smarttrade.simulator.time_unit import fine_event
from smarttrade.simulator.users import User
from smarttrade.simulator.venue import Venue

_encoder = msgspec.json.Encoder()


class UserStreams:
    """Subscriptions by number, each of one connection to one account."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self._subscriptions: dict[int, tuple[Connection, User]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscribe(self, connection: Connection, user: User) -> int:
        number = self._next
        self._next += 1
        self._subscriptions[number] = (connection, user)
        return number

    def unsubscribe(self, connection: Connection, number: int | None = None) -> None:
        """End one subscription of a connection, or all; each is told that it ends."""
        for found in self.of(connection):
            if number in (None, found):
                del self._subscriptions[found]
                self._tell(connection, found, render_user_events.build_end_event(self.venue.clock.now_ms()))

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        for number in self.of(connection):
            del self._subscriptions[number]

    def of(self, connection: Connection) -> list[int]:
        return [number for number, row in self._subscriptions.items() if row[0] is connection]

    def connections(self, user: str | None = None) -> set[Connection]:
        rows = self._subscriptions.values()
        return {connection for connection, owner in rows if user in (None, owner.name)}

    # --- events -------------------------------------------------------------------------------------

    def on_execution(self, account: Account, execution: Execution) -> None:
        if self._listens(account):
            self._send(account, render_user_events.build_execution_report(execution))

    def on_balance(self, account: Account, assets: list[str], now_ms: int) -> None:
        if self._listens(account):
            self._send(account, render_user_events.build_position_event(account, assets, now_ms))

    def on_deposit(self, account: Account, asset: str, units: int, now_ms: int) -> None:
        if self._listens(account):
            self._send(account, render_user_events.build_balance_update(asset, units, now_ms))

    def on_list(self, change: ListChange) -> None:
        account = change.order_list.account
        if self._listens(account):
            self._send(account, render_user_events.build_list_event(change))

    def _listens(self, account: Account) -> bool:
        return any(user.account is account for _, user in self._subscriptions.values())

    def _send(self, account: Account, event: dict[str, Any]) -> None:
        copies, delay_ms = 1, 0
        for fault in self.venue.faults.take(EVENT_FAULTS, account.name, event["e"]):
            if fault.kind is FaultKind.EVENT_DROP:
                return
            copies += fault.kind is FaultKind.EVENT_DUPLICATE
            delay_ms += fault.delay_ms
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, self._deliver, account, event, copies)
        else:
            self._deliver(account, event, copies)

    def _deliver(self, account: Account, event: dict[str, Any], copies: int) -> None:
        payload = _encoder.encode(event)
        for number, (connection, user) in list(self._subscriptions.items()):
            if user.account is account:
                told = _encoder.encode(fine_event(event)) if connection.is_fine else payload
                for _ in range(copies):
                    connection.write(frame(_envelope(number, told)))

    def _tell(self, connection: Connection, number: int, event: dict[str, Any]) -> None:
        told = fine_event(event) if connection.is_fine else event
        connection.write(frame(_envelope(number, _encoder.encode(told))))


def _envelope(number: int, payload: bytes) -> bytes:
    return b'{"subscriptionId":%d,"event":%b}' % (number, payload)

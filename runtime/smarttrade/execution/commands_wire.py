"""What a person may ask of a running execution by hand, and what is answered. JSON, one line each way.

An answer says of every order or market what was done (Done), what was not and why (Refused), and what could
not be found out (Unknown). `by` is the caller's own word; who could reach the socket is what the API
server's audit log of `pods/exec` proves.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from smarttrade.errors import ConfigurationError
from smarttrade.messages import MALFORMED


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """Base of every command; `by` names who asks, for the log."""

    by: str = ""


class ListOrders(Command, frozen=True, kw_only=True, tag="orders"):
    """Own orders as the log has them, beside the exchange's open orders at this moment."""


class CancelOrders(Command, frozen=True, kw_only=True, tag="cancel"):
    """Cancel own orders by client order id, or every own order that is open."""

    orders: tuple[str, ...] = ()
    everything: bool = False


class ClosePositions(Command, frozen=True, kw_only=True, tag="close"):
    """Sell what the ledger holds in these markets, or in every market."""

    markets: tuple[str, ...] = ()
    everything: bool = False


class ResolveOrder(Command, frozen=True, kw_only=True, tag="resolve"):
    """Tell the fate of an unknown order: `filled` base at `price`; None says that it was never placed."""

    order: str
    filled: Decimal | None = None
    price: Decimal | None = None


class AdoptHolding(Command, frozen=True, kw_only=True, tag="adopt"):
    """Take base of the wallet into the ledger; a negative quantity takes it out. Price: default the mid."""

    market: str
    quantity: Decimal
    price: Decimal | None = None


class Halt(Command, frozen=True, kw_only=True, tag="halt"):
    """Cancel everything and trade no more, until the object's generation `generation` has been read;
    0: until any later one. `spec` is the object's specification, by which a process that has not heard of it
    over the bus finds its exchange."""

    generation: int = 0
    spec: dict[str, Any] = {}


AnyCommand = ListOrders | CancelOrders | ClosePositions | ResolveOrder | AdoptHolding | Halt


class Result(StrEnum):
    DONE = "Done"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order or market."""

    subject: str
    result: Result
    message: str


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order: `state` by the log, `exchange` by the exchange just now (Open, NotListed, NotAsked)."""

    order: str
    market: str
    side: str
    price: Decimal
    quantity: Decimal
    filled: Decimal
    state: str
    purpose: str
    exchange: str = "NotAsked"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One pod's answer. `code` is NotLeading where another pod has to be asked."""

    pod: str
    leading: bool
    state: str
    result: Result
    message: str = ""
    code: str = ""
    lines: tuple[Line, ...] = ()
    orders: tuple[OrderRow, ...] = ()


_encoder = msgspec.json.Encoder(decimal_format="string")
_commands: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
_answers = msgspec.json.Decoder(Answer)


def encode(message: Command | Answer) -> bytes:
    return _encoder.encode(message)


def decode_command(payload: bytes) -> AnyCommand:
    """ConfigurationError for what is no command of this version."""
    try:
        return _commands.decode(payload)
    except MALFORMED as error:
        raise ConfigurationError(
            f"not a command of this version: {error}; use the `smarttrade` of the version that the pods run"
        ) from error


def decode_answer(payload: bytes) -> Answer:
    """ConfigurationError for what is no answer of this version."""
    try:
        return _answers.decode(payload)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(
            f"the pod's answer cannot be read: {error}; use the `smarttrade` of the version that the pods run"
        ) from error


def worst(lines: tuple[Line, ...]) -> Result:
    """The answer as a whole: Unknown outweighs Refused, which outweighs Done."""
    results = {line.result for line in lines}
    for result in (Result.UNKNOWN, Result.REFUSED):
        if result in results:
            return result
    return Result.DONE

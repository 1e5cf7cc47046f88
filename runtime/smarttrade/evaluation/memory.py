"""What a strategy remembers, so that a restart or a fail-over changes none of its decisions.

History makes indicators anew; it cannot tell a grid the anchor that it began with. A strategy declares such
things as `Remembered`. The memory of one moment, which names the newest candle of every series that is in it,
goes with each decision into the account's log. Whoever takes the lead with another memory begins anew from
it: history up to that moment, then the memory, then the candles after it.

What bites: it is the text of code that nobody vouches for. So it is bounded, execution keeps it unread, and
only the account's own strategy, of the very same specification, is given it again. A memory that cannot be
written or read costs no decision: the decision goes without one, and the strategy begins as if it had none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, overload

import msgspec

from smarttrade.errors import SmartTradeError
from smarttrade.evaluation.declarations import Declared, find_declared
from smarttrade.messages import MALFORMED, MEMORY_LIMIT

if TYPE_CHECKING:
    from smarttrade.evaluation.strategy import Strategy

T = TypeVar("T")
Series = tuple[str, str]
"""A market and a timeframe."""

_VERSION = 1


class UnusableMemoryError(SmartTradeError):
    """A memory cannot be written, or not be read by this strategy."""


class Remembered(Declared, Generic[T]):
    """Declared in the class body: `anchors = Remembered(dict[str, Decimal])`; on an instance it is the value,
    which begins as an empty one of that type.

    The type is a dict or list of, or a single, str, int, float, bool or Decimal.
    """

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value: T = instance.__dict__.setdefault(self.name, self.kind())
        return value


class Memory(NamedTuple):
    """The newest candle of every series that is in it, by its opening, and the values by name."""

    opened: dict[Series, int]
    values: dict[str, Any]


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    """`strategy` marks the specification that it belongs to, `seen` is [market, timeframe, open_ms]."""

    v: int = _VERSION
    strategy: str
    seen: list[tuple[str, str, int]]
    values: dict[str, msgspec.Raw]


_encoder = msgspec.json.Encoder(decimal_format="string", order="sorted")
_decoder = msgspec.json.Decoder(_Written)


def declared(strategy_class: type) -> dict[str, Remembered[Any]]:
    """What a strategy class remembers, inherited ones included."""
    return find_declared(strategy_class, Remembered)


def write_memory(strategy: object, mark: str, opened: Mapping[Series, int]) -> str:
    """The memory as text, the same for the same state; UnusableMemoryError if it is too long or not data."""
    seen = sorted((market, timeframe, open_ms) for (market, timeframe), open_ms in opened.items())
    try:
        values = {
            name: msgspec.Raw(_encoder.encode(getattr(strategy, name))) for name in declared(type(strategy))
        }
        text = _encoder.encode(_Written(strategy=mark, seen=seen, values=values)).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise UnusableMemoryError(
            f"the strategy remembers what is not plain data: {error}: keep numbers, texts, lists and dicts"
        ) from error
    if len(text) > MEMORY_LIMIT:
        raise UnusableMemoryError(
            f"the strategy remembers {len(text)} characters: keep at most {MEMORY_LIMIT}"
        )
    return text


def read_memory(text: str, mark: str, strategy: Strategy) -> Memory | None:
    """The memory in the strategy's declared types, if there is one of this specification;
    UnusableMemoryError if it cannot be read, or has another type by now."""
    if not text:
        return None
    kinds, timeframes = declared(type(strategy)), (strategy.timeframe, *strategy.timeframes)
    try:
        written = _decoder.decode(text)
        if written.v > _VERSION:
            raise UnusableMemoryError(
                f"what the strategy remembered is of version {written.v}: update the runtime"
            )
        if written.strategy != mark:
            return None
        values = {
            name: msgspec.json.decode(raw, type=kinds[name].kind)
            for name, raw in written.values.items()
            if name in kinds
        }
    except MALFORMED as error:
        raise UnusableMemoryError(f"what the strategy remembered cannot be read: {error}") from error
    # A series that the strategy has no more would never come.
    opened = {
        (market, timeframe): open_ms
        for market, timeframe, open_ms in written.seen
        if market in strategy.markets and timeframe in timeframes
    }
    return Memory(opened, values)

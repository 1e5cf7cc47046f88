"""Candles of a longer timeframe or of another pair beside those that the strategy trades on.

What bites: a candle of an hour that opened at 10:00 is known at 11:00, so it stands beside the candle of
five minutes that closes then, the one that opened at 10:55; beside that of 10:00 it would tell the future.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas import DataFrame

from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.timeframes import timeframe_to_seconds

Populate = Callable[[Any, DataFrame, dict[str, Any]], DataFrame]
Formatter = Callable[..., str]

_OWN = "{column}_{timeframe}"
_OTHER = "{base}_{quote}_{column}_{timeframe}"
_KNOWN = "_known_from"


@dataclass(frozen=True, slots=True)
class Informative:
    """What one `@informative` asks for: an empty `asset` is the pair itself."""

    timeframe: str
    asset: str
    fmt: str | Formatter | None
    ffill: bool
    populate: Populate

    def pair(self, traded: str, stake: str) -> str:
        """The pair whose candles are meant, beside candles of `traded`."""
        if not self.asset:
            return traded
        base, _, quote = traded.partition("/")
        return self.asset.format(stake=stake, base=base, quote=quote.partition(":")[0])

    def name(self, column: str, pair: str) -> str:
        """What a column is called beside the candles that are traded on."""
        base, _, quote = pair.partition("/")
        fmt = self.fmt or (_OTHER if self.asset else _OWN)
        values = {
            "base": base.lower(),
            "quote": quote.lower(),
            "BASE": base.upper(),
            "QUOTE": quote.upper(),
            "asset": pair,
            "column": column,
            "timeframe": self.timeframe,
        }
        return fmt(**values) if callable(fmt) else fmt.format(**values)


def informative(
    timeframe: str, asset: str = "", fmt: str | Formatter | None = None, *, ffill: bool = True, **_: Any
) -> Callable[[Populate], Populate]:
    """Decorates a method that adds columns to the candles of a timeframe and, maybe, another pair."""

    def decorate(populate: Populate) -> Populate:
        asked: list[Informative] = getattr(populate, "informatives", [])
        asked.append(Informative(timeframe, asset, fmt, ffill, populate))
        populate.informatives = asked  # type: ignore[attr-defined]
        return populate

    return decorate


def find_asked(strategy: Any, markets: tuple[str, ...], currency: str) -> set[tuple[str, str]]:
    """Pairs and timeframes that a strategy asks candles of, besides those that it trades."""
    asked = {(str(pair), str(timeframe)) for pair, timeframe, *_ in strategy.informative_pairs()}
    for each in find_informatives(type(strategy)):
        asked |= {(each.pair(market, currency), each.timeframe) for market in markets}
    return asked


def find_informatives(strategy_class: type) -> list[Informative]:
    """Every `@informative` of a class, in the order of the methods' names."""
    methods = (getattr(strategy_class, name) for name in dir(strategy_class) if not name.startswith("__"))
    return [asked for method in methods for asked in getattr(method, "informatives", ())]


def merge_informative_pair(
    dataframe: DataFrame,
    informative: DataFrame,
    timeframe: str,
    timeframe_inf: str,
    ffill: bool = True,
    append_timeframe: bool = True,
    date_column: str = "date",
    suffix: str | None = None,
) -> DataFrame:
    """`dataframe` with the columns of `informative`, each row with the newest candle known at its end.

    Columns are called `NAME_TIMEFRAME`, or `NAME_SUFFIX`. Without `ffill` only the row at whose end a candle
    became known has it. ValueError for a timeframe shorter than that of `dataframe`."""
    later_s = timeframe_to_seconds(timeframe_inf) - timeframe_to_seconds(timeframe)
    if later_s < 0:
        raise ValueError(
            f"candles of {timeframe_inf} cannot be merged into those of {timeframe}, which are longer: "
            "values would be taken from the future"
        )
    if suffix and append_timeframe:
        raise ValueError("give merge_informative_pair either suffix or append_timeframe, not both")
    known = informative[date_column] + pd.Timedelta(seconds=later_s)
    ending = suffix or (timeframe_inf if append_timeframe else "")
    right = informative.rename(columns=lambda name: f"{name}_{ending}" if ending else name)
    right[_KNOWN] = known.astype(dataframe["date"].dtype)
    if ffill:
        merged = pd.merge_asof(dataframe, right, left_on="date", right_on=_KNOWN)
    else:
        merged = dataframe.merge(right, left_on="date", right_on=_KNOWN, how="left")
    return merged.drop(columns=_KNOWN)


def merge_informatives(strategy: Any, dataframe: DataFrame, pair: str, asked: list[Informative]) -> DataFrame:
    """`dataframe` with what every `@informative` adds; ConfigurationError for one name twice."""
    for each in asked:
        other = each.pair(pair, strategy.config["stake_currency"])
        candles = strategy.dp.get_pair_dataframe(other, each.timeframe)
        if candles.empty:
            raise ConfigurationError(
                f"there are no candles of {other} {each.timeframe}, which @informative needs"
            )
        added = each.populate(strategy, candles, {"pair": other})
        date = each.name("date", other)
        added = added.rename(columns=lambda column, each=each, other=other: each.name(column, other))
        twice = sorted(set(added.columns) & set(dataframe.columns))
        if twice:
            raise ConfigurationError(
                f"@informative makes the column {twice[0]} which is there already: give it another fmt"
            )
        dataframe = merge_informative_pair(
            dataframe, added, strategy.timeframe, each.timeframe, each.ffill, False, date
        )
    return dataframe

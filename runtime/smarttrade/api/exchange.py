"""Where an account trades: exchange, environment, markets."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from smarttrade.api.model import Model, Rule, immutable
from smarttrade.api.scalars import OBJECT_NAME_PATTERN, PositiveAmount, Symbol, Text, list_map, unique

_ANOTHER = "create another TradingAccount for it"
_CATALOGUED = "write Production, Testnet, Simulator or another name from the platform's catalogue"

ExchangeName = Annotated[
    str, Text(r"^[a-z][a-z0-9]*$", 32, "write the exchange's ccxt id in lower case, such as binance")
]
Environment = Annotated[str, Text(r"^[A-Za-z][A-Za-z0-9-]*$", 40, _CATALOGUED)]
SecretName = Annotated[
    str, Text(OBJECT_NAME_PATTERN, 253, "write the name of a Secret in the account's namespace")
]


class MarketType(StrEnum):
    SPOT = "Spot"


class Unverified(StrEnum):
    REFUSE = "Refuse"
    ACCEPT = "Accept"


class Withdrawals(StrEnum):
    REFUSE = "Refuse"
    ACCEPT = "Accept"


class DeadMansSwitch(StrEnum):
    DISARMED = "Disarmed"
    ARMED = "Armed"


class SecretReference(Model):
    """A Secret of the account's own namespace."""

    name: SecretName
    """Name of a Secret in the account's own namespace."""


class Exchange(Model):
    """Which exchange, and which of its environments."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable("name", _ANOTHER),
        immutable("environment", _ANOTHER),
        immutable("marketType", _ANOTHER),
    )

    name: ExchangeName
    """The exchange by its ccxt id, such as binance. Immutable."""
    market_type: MarketType = MarketType.SPOT
    """Spot is the only kind of market supported. Immutable."""
    environment: Environment = "Production"
    """Production, Testnet, Simulator, or another name from the platform's catalogue. Immutable."""
    credentials_secret_ref: SecretReference | None = None
    """Secret with the keys apiKey and secret, and password where the exchange has one. Only the execution
    container reads it."""
    unverified: Unverified = Unverified.REFUSE
    """Whether Live may use an exchange whose order deadline and rejection codes are known from its
    documentation only."""
    withdrawals: Withdrawals = Withdrawals.REFUSE
    """Whether Live may use a key that can withdraw, or of which the exchange does not tell whether it can."""
    request_weight: Annotated[int, Field(ge=60, le=1_000_000)] | None = None
    """The most that the account may use a minute of the request weight that the exchange allows one address;
    where it counts requests, these. It can only lower the platform's own share. Absent: that one."""
    dead_mans_switch: DeadMansSwitch = DeadMansSwitch.DISARMED
    """Armed lets the exchange cancel every order of the exchange account when this one falls silent: only
    for a (sub-)account that nothing else uses."""


class Market(Model):
    """A market that the account trades."""

    symbol: Symbol
    """The market as BASE/QUOTE; the quote is capital.currency."""
    max_position_notional: PositiveAmount | None = None
    """The most that may be held in this market, worst case of open orders included. Absent:
    risk.maxPositionNotional."""


def _unique(markets: list[Market]) -> list[Market]:
    return unique(markets, lambda market: market.symbol)


Markets = Annotated[
    list[Market],
    AfterValidator(_unique),
    Field(min_length=1, max_length=64, json_schema_extra=list_map("symbol")),
]

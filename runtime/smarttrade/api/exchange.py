"""Where an account trades: exchange, environment, markets."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from smarttrade.api.model import Model, Rule, immutable
from smarttrade.api.scalars import PositiveAmount, Symbol, named

_ANOTHER = "create another TradingAccount for it"


class MarketType(StrEnum):
    SPOT = "Spot"


class Unverified(StrEnum):
    REFUSE = "Refuse"
    ACCEPT = "Accept"


class DeadMansSwitch(StrEnum):
    DISARMED = "Disarmed"
    ARMED = "Armed"


class SecretReference(Model):
    name: named(
        253, r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "write the name of a Secret in the account's namespace"
    )
    """Name of a Secret in the account's own namespace."""


class Exchange(Model):
    """Which exchange, and which of its environments."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable("name", _ANOTHER),
        immutable("environment", _ANOTHER),
        immutable("marketType", _ANOTHER),
    )

    name: named(32, r"^[a-z][a-z0-9]*$", "write the exchange's ccxt id in lower case, such as binance")
    """The exchange by its ccxt id, such as binance. Immutable."""
    market_type: MarketType = MarketType.SPOT
    """Spot is the only kind of market supported."""
    environment: named(
        40,
        r"^[A-Za-z][A-Za-z0-9-]*$",
        "write Production, Testnet, Simulator or a name from the platform's catalogue",
    ) = "Production"
    """Production, Testnet, Simulator, or another name from the platform's catalogue. Immutable."""
    credentials_secret_ref: SecretReference | None = None
    """Secret with the keys apiKey and secret (and password where the exchange has one). Only the execution container reads it."""
    unverified: Unverified = Unverified.REFUSE
    """Whether Live may use an exchange whose order deadline and rejection codes are documented but were never verified."""
    dead_mans_switch: DeadMansSwitch = DeadMansSwitch.DISARMED
    """Armed makes the exchange cancel all orders of this exchange account when the account goes silent: only for an exclusive (sub-)account."""


class Market(Model):
    symbol: Symbol
    """The market as BASE/QUOTE; the quote is capital.currency."""
    max_position_notional: PositiveAmount | None = None
    """The most that may be held in this market, worst case of open orders included. Absent: risk.maxPositionNotional."""


Markets = Annotated[list[Market], Field(min_length=1, max_length=64)]

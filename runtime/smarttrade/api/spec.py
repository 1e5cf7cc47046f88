"""What a user declares: the specification of a TradingAccount."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from smarttrade.api.capital import Capital
from smarttrade.api.exchange import Exchange, Markets
from smarttrade.api.model import Model, Rule
from smarttrade.api.operation import (
    DeletionPolicy,
    LogLevel,
    OnBusLoss,
    Orders,
    Resources,
    State,
    TopologySpread,
)
from smarttrade.api.paper import Paper
from smarttrade.api.risk import Risk
from smarttrade.api.rules import SPEC_RULES
from smarttrade.api.strategy import Strategy


class Mode(StrEnum):
    PAPER = "Paper"
    LIVE = "Live"


class TradingAccountSpec(Model):
    """What the account trades, how, and what it may risk."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    mode: Mode = Mode.PAPER
    """Paper trades against an in-process exchange on live data; Live sends real orders. Immutable."""
    risk_acknowledgement: Annotated[str, Field(max_length=512)] = ""
    """Live needs the exact sentence that the rejection prints."""
    exchange: Exchange
    """Where the account trades."""
    markets: Markets
    """The markets traded, at most 64."""
    strategy: Strategy
    """What decides."""
    capital: Capital
    """What the account may use."""
    risk: Risk
    """What the account may risk, enforced outside the strategy's code."""
    paper: Paper = Field(default_factory=Paper)
    """The terms of mode Paper: fees and latency."""
    orders: Orders = Field(default_factory=Orders)
    """How decisions become orders."""
    state: State = State.ACTIVE
    """What the account may do now; takes effect within a second."""
    acknowledged_breach: Annotated[str, Field(max_length=128)] = ""
    """The id in status.breach, to trade again after a breach."""
    bus: Annotated[str, Field(max_length=30, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")] = ""
    """The dedicated NATS servers that carry this account, as the platform calls them; empty: those that are
    shared by all. Immutable."""
    on_bus_loss: OnBusLoss = Field(default_factory=OnBusLoss)
    """What a leader does that is cut off from NATS."""
    deletion_policy: DeletionPolicy = DeletionPolicy.CANCEL_ORDERS
    """What happens to orders and positions when the object is deleted."""
    deletion_timeout_seconds: Annotated[int, Field(strict=True, ge=5, le=3600)] = 60
    """After this time the object is released even if the deletion policy could not be completed."""
    replicas: Annotated[int, Field(strict=True, ge=1, le=3)] = 2
    """Pods of the account; one leads, the others stand by."""
    resources: Resources = Field(default_factory=Resources)
    """Resources of the containers."""
    topology_spread: TopologySpread = TopologySpread.SCHEDULE_ANYWAY
    """Whether replicas must be on different nodes."""
    log_level: LogLevel = LogLevel.INFO
    """How much the containers log."""

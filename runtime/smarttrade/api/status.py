"""What the operator says of an account; nobody else writes it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from smarttrade.api.model import Model
from smarttrade.api.operation import State
from smarttrade.api.scalars import SignedDecimal, list_map

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    DEGRADED = "Degraded"
    FAILED = "Failed"
    DELETING = "Deleting"


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One verdict on the account, as Kubernetes writes them."""

    type: Annotated[str, Field(max_length=316)]
    """What is judged: Ready, ConfigApplied, DataFresh, Reconciled, WithinRisk, CredentialsValid, Drifted."""
    status: ConditionStatus
    """The verdict."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, as one stable CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for people."""
    last_transition_time: Timestamp
    """When the verdict last changed."""
    observed_generation: Annotated[int, Field(strict=True, ge=0)] = 0
    """The generation that was judged."""


class Breach(Model):
    """A loss limit that was broken; trading goes on when spec.acknowledgedBreach names its id."""

    id: str
    """What spec.acknowledgedBreach must be."""
    reason: str
    """The limit that was broken."""
    time: Timestamp
    """When it was broken."""


class PositionStatus(Model):
    """What the ledger holds in one market."""

    symbol: str
    """The market."""
    quantity: SignedDecimal
    """Base quantity held by the ledger."""
    average_price: SignedDecimal
    """Its average cost."""
    realized_pnl: SignedDecimal | None = None
    """Realised profit and loss in the market."""
    unrealized_pnl: SignedDecimal | None = None
    """Unrealised profit and loss at asOf."""


class ExchangeMark(Model):
    """A keyed mark of API key or exchange account; it says nothing but which accounts share one."""

    mark: Annotated[str, Field(max_length=64)]
    """The mark."""
    since: Annotated[str, Field(max_length=40)]
    """When this account showed it first; of two that show one mark, the earlier keeps it."""


ExchangeMarks = Annotated[list[ExchangeMark], Field(max_length=8, json_schema_extra=list_map("mark"))]
Positions = Annotated[list[PositionStatus], Field(max_length=64, json_schema_extra=list_map("symbol"))]
Conditions = Annotated[list[Condition], Field(max_length=32, json_schema_extra=list_map("type"))]


class TradingAccountStatus(Model):
    """Conditions, phase and leader are current; numbers hold as of asOf."""

    observed_generation: Annotated[int, Field(strict=True, ge=0)] | None = None
    """The generation of the specification that was last applied."""
    phase: Phase | None = None
    """The account in one word."""
    effective_state: State | None = None
    """The most restrictive of spec.state, breach, kill switch and venue state."""
    breach: Breach | None = None
    """The loss limit that is broken, if any."""
    leader: str | None = None
    """The pod that trades."""
    strategy_version: Annotated[str, Field(max_length=256)] | None = None
    """What the leader runs of strategy.source: ConfigMap and digest of what it held. Absent: built in."""
    ready_replicas: int | None = None
    """Pods that are ready."""
    installation: Annotated[str, Field(max_length=253)] | None = None
    """The installation whose operator serves the account; its label chooses one only while this is absent."""
    nats_cluster: str | None = None
    """The NATS cluster that holds the account; never changes."""
    equity: SignedDecimal | None = None
    """Allocation plus realised and unrealised profit and loss."""
    realized_pnl: SignedDecimal | None = None
    """Realised profit and loss, fees included."""
    unrealized_pnl: SignedDecimal | None = None
    """Unrealised profit and loss."""
    open_orders: int | None = None
    """Own orders open on the exchange."""
    unknown_orders: int | None = None
    """Orders whose fate the exchange has not yet told; they hold their exposure."""
    fills: int | None = None
    """Fills since the account was created."""
    positions: Positions = Field(default_factory=list)
    """What the ledger holds."""
    as_of: Timestamp | None = None
    """When the numbers were true."""
    exchange_marks: ExchangeMarks = Field(default_factory=list)
    """By which two accounts on one exchange account are found out."""
    credentials_revoked_until: Timestamp | None = None
    """NATS credentials of the account that were issued until then are refused."""
    conditions: Conditions = Field(default_factory=list)
    """Verdicts, one a type."""

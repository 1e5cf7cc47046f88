"""How the account is operated: order handling, loss of the bus, deletion, resources."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from smarttrade.api.model import Model, Rule
from smarttrade.api.scalars import Duration, MemoryQuantity, Ratio, ResourceQuantity, at_most, quantity


class Orders(Model):
    """How decisions become orders."""

    rebalance_threshold: Ratio = Field(default="0.01", validate_default=True)
    """A difference to the target smaller than this share of it counts as reached."""
    requote_ticks: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 2
    """A resting order is kept while its price is off by fewer ticks than this."""
    requote_ratio: Ratio = Field(default="0.1", validate_default=True)
    """A resting order is kept while its quantity is off by less than this share."""
    minimum_rest: Duration = Duration("500ms")
    """The shortest time that a resting order stays before it is replaced."""
    passive_timeout: Duration = Duration("0s")
    """After this time a passive target becomes marketable; 0s keeps it post-only."""
    stop_slippage: Ratio = Field(default="0.005", validate_default=True)
    """Distance between a stop's trigger and the limit it turns into, as a share of the trigger."""


class BusLossAction(StrEnum):
    CANCEL_RESTING = "CancelResting"
    KEEP = "Keep"


class OnBusLoss(Model):
    """What a leader does that is cut off from NATS."""

    after: Duration = Duration("10s")
    """How long the cut must last."""
    do: BusLossAction = BusLossAction.CANCEL_RESTING
    """CancelResting cancels own orders that do not protect a position; Keep leaves all."""


class DeletionPolicy(StrEnum):
    RETAIN = "Retain"
    CANCEL_ORDERS = "CancelOrders"
    FLATTEN = "Flatten"


class State(StrEnum):
    ACTIVE = "Active"
    PAUSED = "Paused"
    REDUCE_ONLY = "ReduceOnly"
    FLATTEN = "Flatten"
    HALTED = "Halted"


class LogLevel(StrEnum):
    DEBUG = "Debug"
    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


class TopologySpread(StrEnum):
    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"


class Requests(Model):
    cpu: ResourceQuantity = "50m"
    """CPU reserved."""
    memory: MemoryQuantity = "128Mi"
    """Memory reserved."""


class Limits(Model):
    cpu: ResourceQuantity | None = None
    """CPU at most. Absent: unlimited."""
    memory: MemoryQuantity = "512Mi"
    """Memory at most."""


class ContainerResources(Model):
    """Requests and limits of one container."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            at_most("requests.memory", "limits.memory"),
            "must be at most limits.memory: lower the request or raise the limit",
            lambda resources: quantity(resources.requests.memory) <= quantity(resources.limits.memory),
            "requests.memory",
        ),
        Rule(
            at_most("requests.cpu", "limits.cpu"),
            "must be at most limits.cpu: lower the request or raise the limit",
            lambda resources: (
                resources.limits.cpu is None
                or quantity(resources.requests.cpu) <= quantity(resources.limits.cpu)
            ),
            "requests.cpu",
        ),
    )

    requests: Requests = Field(default_factory=Requests)
    """What is reserved."""
    limits: Limits = Field(default_factory=Limits)
    """What may be used at most."""


_LEAST_BANDWIDTH, _MOST_BANDWIDTH = "1M", "100G"


class Resources(Model):
    """Resources of every replica: of the three containers, and of the pod. A change rolls the pods."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.egressBandwidth) || !isQuantity(self.egressBandwidth) || "
            f"quantity(self.egressBandwidth).compareTo(quantity('{_LEAST_BANDWIDTH}')) >= 0 && "
            f"quantity(self.egressBandwidth).compareTo(quantity('{_MOST_BANDWIDTH}')) <= 0",
            f"must be {_LEAST_BANDWIDTH} to {_MOST_BANDWIDTH}, in bits a second",
            lambda resources: (
                quantity(_LEAST_BANDWIDTH)
                <= quantity(resources.egress_bandwidth)
                <= quantity(_MOST_BANDWIDTH)
            ),
            "egressBandwidth",
        ),
    )

    monitoring: ContainerResources = Field(default_factory=ContainerResources)
    """The container that observes."""
    evaluation: ContainerResources = Field(default_factory=ContainerResources)
    """The container that decides."""
    execution: ContainerResources = Field(default_factory=ContainerResources)
    """The container that acts."""
    egress_bandwidth: ResourceQuantity = "20M"
    """What the pod may send, in bits a second: a flood of messages costs the NATS servers that all accounts
    share. Needs the nodes' network to have the bandwidth plugin."""

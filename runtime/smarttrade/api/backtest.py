"""A Backtest: the sweep of an account's parameters, run on the cluster.

The object says once what is to be found out and never changes: another question is another object. Its pods
run the strategy's untrusted code with nothing but the candles and a place for the results.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from smarttrade.api.account import NAME_LIMIT
from smarttrade.api.model import Model, Rule
from smarttrade.api.operation import ContainerResources, Limits, Requests
from smarttrade.api.scalars import OBJECT_NAME_PATTERN, Amount, Ratio, Text
from smarttrade.api.status import Conditions, Timestamp
from smarttrade.timeframe import Timeframe

KIND = "Backtest"
PLURAL = "backtests"

# Candidates that a search proposes before it looks at the scores of the ones before. Part of the result: with
# another number the same seed finds other candidates.
TRIALS_A_ROUND = 8

ObjectName = Annotated[str, Text(OBJECT_NAME_PATTERN, 253, "write the name of an object of this namespace")]
Folder = Annotated[
    str, Text(r"^([A-Za-z0-9_=-][A-Za-z0-9._=-]*/?)*$", 200, "write a path within the volume, without ..")
]
Range = Annotated[
    str,
    Text(
        r"^[A-Za-z_][A-Za-z0-9_]*(=[^=\s]+)?$",
        200,
        'write NAME, or NAME=LOW:HIGH, NAME=LOW:HIGH:STEP or NAME=A,B, such as "fast=5:50:5"',
    ),
]
Moment = Annotated[
    str,
    Text(
        r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z?)?$",
        20,
        'write a moment in UTC in quotes, such as "2024-01-31" or "2024-01-31T12:00"',
    ),
]


class Objective(StrEnum):
    SHARPE = "Sharpe"
    SORTINO = "Sortino"
    CALMAR = "Calmar"
    CAGR = "Cagr"
    RETURN = "Return"
    PROFIT_FACTOR = "ProfitFactor"
    EXPECTANCY = "Expectancy"


class VolumeUnit(StrEnum):
    BASE = "Base"
    QUOTE = "Quote"


class ClaimPath(Model):
    """A folder of a volume."""

    claim_name: ObjectName
    """A PersistentVolumeClaim of this namespace."""
    path: Folder = ""
    """Folder (or, of candles, file) within the volume; empty for all of it."""


class Data(Model):
    """Where the candles are: on a volume, or, if they are few, in a ConfigMap."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.volume) != has(self.configMap)",
            "set exactly one of data.volume and data.configMap",
            lambda data: (data.volume is None) != (data.config_map is None),
        ),
    )

    volume: ClaimPath | None = None
    """What `smarttrade data download` made, a folder with one file a market, or a file; mounted read-only."""
    config_map: ObjectName | None = None
    """A ConfigMap whose keys are files such as BTC-USDT.csv."""
    volume_unit: VolumeUnit = VolumeUnit.BASE
    """The asset in which the candles count volume."""


class Costs(Model):
    """What is assumed of the market, as fractions of the price or the notional."""

    maker_fee: Amount = Field(default="0.001", validate_default=True)
    """Fee of orders that rested."""
    taker_fee: Amount = Field(default="0.001", validate_default=True)
    """Fee of orders that took."""
    spread: Amount = Field(default="0.0002", validate_default=True)
    """Between bid and ask."""
    slippage: Amount = Field(default="0.0005", validate_default=True)
    """Of marketable orders, beyond half the spread."""
    latency_milliseconds: Annotated[int, Field(strict=True, ge=0, le=60_000)] = 50
    """From decision to exchange."""


def _shard_resources() -> ContainerResources:
    return ContainerResources(requests=Requests(cpu="500m", memory="256Mi"), limits=Limits(memory="1Gi"))


class BacktestSpec(Model):
    """What is tried, on which candles, and how the work is spread."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "a Backtest cannot be changed: create another one under another name"),
    )

    account: ObjectName
    """A TradingAccount of this namespace; its specification at the start of the run is what is tested."""
    data: Data
    """The candles."""
    results: ClaimPath
    """Where the results are written; several nodes need a volume that all of them can write."""
    parameters: Annotated[list[Range], Field(max_length=16)] = Field(default_factory=list)
    """What to try, such as fast=5:50:5. Empty: all that the strategy declares with a range."""
    steps: Annotated[int, Field(strict=True, ge=1, le=100)] = 5
    """Values that a range without a step is divided into."""
    trials: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    """Candidates that Optuna searches, eight a round and a Job a round. Absent: every combination."""
    objective: Objective = Objective.SHARPE
    """What the best candidate has most of."""
    folds: Annotated[int, Field(strict=True, ge=1, le=50)] = 3
    """Walk-forward folds."""
    train: Ratio = Field(default="0.75", validate_default=True)
    """In-sample share of a fold."""
    begin: Moment | None = Field(default=None, alias="from")
    """First moment to trade on. Absent: after the warm-up."""
    end: Moment | None = Field(default=None, alias="to")
    """Last moment. Absent: the end of the data."""
    timeframe: Timeframe | None = None
    """Candles to decide on. Absent: the account's."""
    costs: Costs = Field(default_factory=Costs)
    """Fees, spread, slippage and latency."""
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 0
    """Of the search and of the latency's variation."""
    shards: Annotated[int, Field(strict=True, ge=1, le=1000)] = 4
    """Parts into which the runs (of a search each round) are divided; one that fails is repeated alone."""
    parallelism: Annotated[int, Field(strict=True, ge=1, le=1000)] = 4
    """Pods at a time."""
    resources: ContainerResources = Field(default_factory=_shard_resources)
    """Of one pod."""
    timeout_seconds: Annotated[int, Field(strict=True, ge=10, le=604_800)] = 3600
    """After this time the run has failed."""

    @property
    def rounds(self) -> int:
        """How often the shards run, each time on what the rounds before have led to."""
        return 1 if self.trials is None else -(-self.trials // TRIALS_A_ROUND)


class BacktestPhase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    COLLECTING = "Collecting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Best(Model):
    """The candidate with the highest mean score in sample."""

    parameters: Annotated[str, Field(max_length=1024)]
    """As name=value, separated by blanks."""
    in_sample: str | None = None
    """Mean score of all folds in sample."""
    out_of_sample: str | None = None
    """Mean score of all folds out of sample."""


class BacktestStatus(Model):
    """How far it is, and what came out."""

    observed_generation: Annotated[int, Field(strict=True, ge=0)] | None = None
    """The generation of the specification that was acted on."""
    phase: BacktestPhase | None = None
    """The run in one word."""
    progress: str | None = None
    """Shards that are done, of all rounds."""
    round: Annotated[int, Field(strict=True, ge=1)] | None = None
    """The round of a search that runs, from 1."""
    message: Annotated[str, Field(max_length=4096)] | None = None
    """Why it waits or has failed, for people."""
    start_time: Timestamp | None = None
    """When the first pod was asked for."""
    completion_time: Timestamp | None = None
    """When it ended."""
    candidates: Annotated[int, Field(strict=True, ge=0, lt=2**53)] | None = None
    """Combinations of parameters that were judged."""
    best: Best | None = None
    """The best in sample, and what it was worth out of sample."""
    kept: str | None = None
    """Share of the in-sample score that the chosen candidates kept out of sample."""
    warnings: Annotated[list[str], Field(max_length=8)] = Field(default_factory=list)
    """Reasons not to believe the result."""
    results: str | None = None
    """The Parquet file with every run, on the results' volume."""
    conditions: Conditions = Field(default_factory=list)
    """Complete or Failed."""


class Backtest(Model):
    """A sweep of an account's parameters over recorded candles, run as a Job."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"self.metadata.name.size() <= {NAME_LIMIT}",
            f"metadata.name must have at most {NAME_LIMIT} characters: pods are named after it",
            lambda backtest: len(str(backtest.metadata.get("name", ""))) <= NAME_LIMIT,
        ),
    )

    api_version: Literal["smarttrade.io/v1alpha1"] = "smarttrade.io/v1alpha1"
    kind: Literal["Backtest"] = "Backtest"
    metadata: dict[str, Any]
    spec: BacktestSpec
    status: Annotated[BacktestStatus, Field(default_factory=BacktestStatus)]

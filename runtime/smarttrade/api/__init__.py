"""The object that users apply: pydantic models, the one source of the CRD, its defaults and its rules."""

from smarttrade.api.account import API_VERSION, GROUP, KIND, PLURAL, VERSION, TradingAccount
from smarttrade.api.capital import Capital, InitialPosition
from smarttrade.api.exchange import (
    DeadMansSwitch,
    Exchange,
    Market,
    MarketType,
    SecretReference,
    Unverified,
)
from smarttrade.api.load import load_account, parse_account
from smarttrade.api.operation import (
    BusLossAction,
    ContainerResources,
    DeletionPolicy,
    LogLevel,
    OnBusLoss,
    Orders,
    Resources,
    State,
    TopologySpread,
)
from smarttrade.api.risk import DailyReset, OnBreach, Protection, Risk
from smarttrade.api.rules import RISK_ACKNOWLEDGEMENT
from smarttrade.api.scalars import Duration
from smarttrade.api.spec import Mode, TradingAccountSpec
from smarttrade.api.status import Breach, Condition, Phase, PositionStatus, TradingAccountStatus
from smarttrade.api.strategy import Strategy, StrategySource
from smarttrade.timeframe import Timeframe

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "RISK_ACKNOWLEDGEMENT",
    "VERSION",
    "Breach",
    "BusLossAction",
    "Capital",
    "Condition",
    "ContainerResources",
    "DailyReset",
    "DeadMansSwitch",
    "DeletionPolicy",
    "Duration",
    "Exchange",
    "InitialPosition",
    "LogLevel",
    "Market",
    "MarketType",
    "Mode",
    "OnBreach",
    "OnBusLoss",
    "Orders",
    "Phase",
    "PositionStatus",
    "Protection",
    "Resources",
    "Risk",
    "SecretReference",
    "State",
    "Strategy",
    "StrategySource",
    "Timeframe",
    "TopologySpread",
    "TradingAccount",
    "TradingAccountSpec",
    "TradingAccountStatus",
    "Unverified",
    "load_account",
    "parse_account",
]

"""A valid account, and every mistake that a user could plausibly make in one, with the answer it must get."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from smarttrade.api import RISK_ACKNOWLEDGEMENT

Manifest = dict[str, Any]
ABSENT = object()
_IMAGE = f"registry.example:5000/strategies/mine@sha256:{'0' * 64}"

VALID: Manifest = {
    "apiVersion": "smarttrade.io/v1alpha1",
    "kind": "TradingAccount",
    "metadata": {"name": "alice", "namespace": "default"},
    "spec": {
        "exchange": {"name": "binance", "environment": "Simulator"},
        "markets": [{"symbol": "BTC/USDT", "maxPositionNotional": "5000"}],
        "strategy": {"name": "ma-cross", "timeframe": "1m", "parameters": {"fast": 10, "slow": 30}},
        "capital": {"currency": "USDT", "allocation": "10000"},
        "risk": {"maxOrderNotional": "1000", "maxPositionNotional": "5000", "maxDailyLoss": "200"},
    },
}


def changed(changes: dict[str, Any], base: Manifest = VALID) -> Manifest:
    """The manifest with the values at dotted paths replaced, or removed where the value is ABSENT."""
    manifest = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = manifest
        for parent in parents:
            node = node.setdefault(parent, {})
        if value is ABSENT:
            node.pop(last, None)
        else:
            node[last] = copy.deepcopy(value)
    return manifest


LIVE: dict[str, Any] = {
    "spec.mode": "Live",
    "spec.riskAcknowledgement": RISK_ACKNOWLEDGEMENT,
    "spec.exchange.credentialsSecretRef": {"name": "alice-binance"},
}


@dataclass(frozen=True)
class Mistake:
    """`answer` is what the API server says, `local` what `load_account` says where the words differ."""

    name: str
    changes: dict[str, Any]
    answer: tuple[str, ...]
    local: tuple[str, ...] = field(default=())

    @property
    def local_answer(self) -> tuple[str, ...]:
        return self.local or self.answer

    @property
    def manifest(self) -> Manifest:
        return changed(self.changes)


def mistake(name: str, changes: dict[str, Any], *answer: str, local: tuple[str, ...] = ()) -> Mistake:
    return Mistake(name, changes, answer, local)


MARKET = {"symbol": "BTC/USDT"}
_UNQUOTED = ("must be of type string",)
_UNQUOTED_LOCAL = ("is not a string", "write a plain decimal in quotes")
_DECIMAL = "write a plain decimal in quotes"
_CHOICES_LOCAL = ("Input should be",)

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        "live without the acknowledgement",
        LIVE | {"spec.riskAcknowledgement": ABSENT},
        "spec.riskAcknowledgement",
        f"mode Live needs exactly this sentence: {RISK_ACKNOWLEDGEMENT}",
        local=("riskAcknowledgement", RISK_ACKNOWLEDGEMENT),
    ),
    mistake(
        "live with another sentence",
        LIVE | {"spec.riskAcknowledgement": "yes"},
        f"mode Live needs exactly this sentence: {RISK_ACKNOWLEDGEMENT}",
    ),
    mistake(
        "live without credentials",
        LIVE | {"spec.exchange.credentialsSecretRef": ABSENT},
        "exchange.credentialsSecretRef",
        "name a Secret that has the keys apiKey and secret",
    ),
    mistake("unknown mode", {"spec.mode": "Real"}, 'supported values: "Paper", "Live"', local=_CHOICES_LOCAL),
    mistake(
        "futures",
        {"spec.exchange.marketType": "Future"},
        'supported values: "Spot"',
        local=("spec.exchange.marketType", "Input should be 'Spot'"),
    ),
    mistake("no exchange", {"spec.exchange": ABSENT}, "spec.exchange: Required value", local=("required",)),
    mistake("exchange in capitals", {"spec.exchange.name": "Binance"}, "ccxt id in lower case"),
    mistake(
        "a URL as the environment",
        {"spec.exchange.environment": "https://api.example.com"},
        "another name from the platform's catalogue",
    ),
    mistake(
        "no name of the credentials",
        {"spec.exchange.credentialsSecretRef": {}},
        "spec.exchange.credentialsSecretRef.name: Required value",
        local=("spec.exchange.credentialsSecretRef.name: required",),
    ),
    mistake(
        "a secret's name with a path",
        {"spec.exchange.credentialsSecretRef": {"name": "../bob"}},
        "write the name of a Secret in the account's namespace",
    ),
    mistake("no markets", {"spec.markets": []}, "spec.markets", "at least 1 items", local=("spec.markets",)),
    mistake(
        "too many markets",
        {"spec.markets": [{"symbol": f"A{number}/USDT"} for number in range(65)]},
        "spec.markets: Too many",
        local=("at most 64",),
    ),
    mistake(
        "a market twice",
        {"spec.markets": [MARKET, MARKET]},
        "Duplicate value",
        "BTC/USDT",
        local=("'BTC/USDT' is there twice",),
    ),
    mistake("a symbol in lower case", {"spec.markets": [{"symbol": "btc/usdt"}]}, "such as BTC/USDT"),
    mistake(
        "a symbol as the exchange writes it", {"spec.markets": [{"symbol": "BTCUSDT"}]}, "such as BTC/USDT"
    ),
    mistake("a derivative's symbol", {"spec.markets": [{"symbol": "BTC/USDT:USDT"}]}, "such as BTC/USDT"),
    mistake(
        "a market in another currency",
        {"spec.markets": [{"symbol": "ETH/BTC"}]},
        "every market must be quoted in capital.currency",
    ),
    mistake(
        "a market's limit above the total",
        {"spec.markets": [{"symbol": "BTC/USDT", "maxPositionNotional": "6000"}]},
        "each maxPositionNotional must be at most risk.maxPositionNotional",
    ),
    mistake("a number without quotes", {"spec.capital.allocation": 10000}, *_UNQUOTED, local=_UNQUOTED_LOCAL),
    mistake("a fraction without quotes", {"spec.risk.priceCollar": 0.02}, *_UNQUOTED, local=_UNQUOTED_LOCAL),
    mistake("a thousands separator", {"spec.capital.allocation": "10,000"}, _DECIMAL),
    mistake("an exponent", {"spec.capital.allocation": "1e4"}, _DECIMAL),
    mistake("a unit", {"spec.capital.allocation": "10k"}, _DECIMAL),
    mistake("a negative limit", {"spec.risk.maxDailyLoss": "-200"}, _DECIMAL),
    mistake("no money", {"spec.capital.allocation": "0"}, "must be greater than 0"),
    mistake("per cent as a ratio", {"spec.risk.maxDrawdown": "10"}, 'two per cent is "0.02"'),
    mistake("a per cent sign", {"spec.risk.priceCollar": "2%"}, _DECIMAL),
    mistake("a collar of nothing", {"spec.risk.priceCollar": "0"}, "must be greater than 0 and at most 1"),
    mistake(
        "no allocation", {"spec.capital.allocation": ABSENT}, "spec.capital.allocation", local=("required",)
    ),
    mistake("no limits", {"spec.risk": ABSENT}, "spec.risk: Required value", local=("spec.risk: required",)),
    mistake(
        "no daily loss",
        {"spec.risk.maxDailyLoss": ABSENT},
        "spec.risk.maxDailyLoss: Required value",
        local=("spec.risk.maxDailyLoss: required",),
    ),
    mistake(
        "an order above the position",
        {"spec.risk.maxOrderNotional": "6000"},
        "must be at most risk.maxPositionNotional",
    ),
    mistake(
        "a position above the allocation",
        {"spec.risk.maxPositionNotional": "20000"},
        "risk.maxPositionNotional",
        "must be at most capital.allocation",
    ),
    mistake(
        "a loss above the allocation",
        {"spec.risk.maxDailyLoss": "10000.01"},
        "risk.maxDailyLoss",
        "must be at most capital.allocation",
    ),
    mistake(
        "a share above the allocation",
        {"spec.capital.perMarket": "10001"},
        "must be at most capital.allocation",
    ),
    mistake(
        "a holding outside the markets",
        {"spec.capital.initialPositions": [{"symbol": "ETH/USDT", "quantity": "1", "averagePrice": "2000"}]},
        "every symbol must be one of markets",
    ),
    mistake(
        "a holding of nothing",
        {"spec.capital.initialPositions": [{"symbol": "BTC/USDT", "quantity": "0.0", "averagePrice": "1"}]},
        "must be greater than 0",
    ),
    mistake(
        "a currency in lower case",
        {"spec.capital.currency": "usdt", "spec.markets": [MARKET]},
        "write the currency's code in capitals",
    ),
    mistake("no strategy", {"spec.strategy": {"timeframe": "1m"}}, "exactly one of strategy.name"),
    mistake(
        "two strategies",
        {"spec.strategy.source": {"configMapRef": {"name": "mine"}, "class": "Mine"}},
        "exactly one of strategy.name",
    ),
    mistake(
        "a strategy from a ConfigMap and an image",
        {
            "spec.strategy": {
                "source": {"configMapRef": {"name": "mine"}, "image": _IMAGE, "class": "mine.Mine"},
            }
        },
        "exactly one of strategy.source.configMapRef",
    ),
    mistake(
        "a strategy from nowhere",
        {"spec.strategy": {"source": {"class": "mine.Mine"}}},
        "exactly one of strategy.source.configMapRef",
    ),
    mistake(
        "an image by a tag, which may become another",
        {"spec.strategy": {"source": {"image": "registry.example/mine:1", "class": "mine.Mine"}}},
        "write an image by its digest",
    ),
    mistake(
        "an unknown timeframe", {"spec.strategy.timeframe": "7m"}, "Unsupported value", local=_CHOICES_LOCAL
    ),
    mistake(
        "a fractional parameter without quotes",
        {"spec.strategy.parameters": {"width": 0.5}},
        "spec.strategy.parameters.width",
        "must be of type integer,string",
        local=("neither an integer nor a string",),
    ),
    mistake(
        "a boolean parameter",
        {"spec.strategy.parameters": {"width": True}},
        "spec.strategy.parameters.width",
        local=("neither an integer nor a string",),
    ),
    mistake(
        "too many parameters",
        {"spec.strategy.parameters": {f"p{number}": 1 for number in range(65)}},
        "Too many",
        local=("at most 64",),
    ),
    mistake(
        "a parameter's name with a dash",
        {"spec.strategy.parameters": {"fast-length": 1}},
        "write names that start with a letter",
    ),
    mistake("no warm-up", {"spec.strategy.warmup": 0}, "greater than or equal to 1"),
    mistake(
        "an unknown state",
        {"spec.state": "Stopped"},
        '"Active", "Paused", "ReduceOnly", "Flatten", "Halted"',
        local=_CHOICES_LOCAL,
    ),
    mistake("five replicas", {"spec.replicas": 5}, "less than or equal to 3"),
    mistake("no replicas", {"spec.replicas": 0}, "greater than or equal to 1"),
    mistake(
        "a side in lower case", {"spec.risk.allowedSides": ["buy"]}, '"Buy", "Sell"', local=_CHOICES_LOCAL
    ),
    mistake("no sides", {"spec.risk.allowedSides": []}, "spec.risk.allowedSides"),
    mistake(
        "an impossible time", {"spec.risk.dailyReset": {"time": "24:00"}}, "write a time of day as HH:MM"
    ),
    mistake(
        "a time that YAML read as a number",
        {"spec.risk.dailyReset": {"time": 0}},
        *_UNQUOTED,
        local=("is not a string", "write a time of day as HH:MM in quotes"),
    ),
    mistake("a time zone with blanks", {"spec.risk.dailyReset": {"timeZone": "New York"}}, "IANA time zone"),
    mistake("a time zone of Mars", {"spec.risk.dailyReset": {"timeZone": "Mars/Base"}}, "IANA time zone"),
    mistake("a duration without a unit", {"spec.onBusLoss": {"after": "10"}}, "with a unit of ms, s, m or h"),
    mistake("a negative duration", {"spec.onBusLoss": {"after": "-10s"}}, "with a unit of ms, s, m or h"),
    mistake(
        "an unknown deletion policy",
        {"spec.deletionPolicy": "Delete"},
        '"Retain", "CancelOrders", "Flatten"',
        local=_CHOICES_LOCAL,
    ),
    mistake(
        "a request above the limit",
        {"spec.resources": {"execution": {"requests": {"memory": "1Gi"}}}},
        "must be at most limits.memory",
    ),
    mistake(
        "a memory of nothing, which Kubernetes takes for no limit",
        {"spec.resources": {"execution": {"requests": {"memory": "0"}, "limits": {"memory": "0"}}}},
        "must be at least 32Mi",
    ),
    mistake(
        "a memory that no process fits in",
        {"spec.resources": {"execution": {"requests": {"memory": "100m"}, "limits": {"memory": "512Mi"}}}},
        "must be at least 32Mi",
    ),
    mistake(
        "a CPU limit of nothing, which Kubernetes takes for no limit",
        {"spec.resources": {"evaluation": {"limits": {"cpu": "0"}, "requests": {"cpu": "0"}}}},
        "must be at least 1m",
    ),
    mistake(
        "a memory without a known unit",
        {"spec.resources": {"execution": {"limits": {"memory": "512MB"}}}},
        "write a quantity as Kubernetes does",
    ),
    mistake(
        "a bandwidth in which a pod would starve",
        {"spec.resources": {"egressBandwidth": "20k"}},
        "must be 1M to 100G, in bits a second",
    ),
    mistake("too long a name", {"metadata.name": "a" * 41}, "metadata.name must have at most 40 characters"),
    mistake("a name with a dot", {"metadata.name": "alice.main"}, "without dots"),
    mistake("a fee of everything", {"spec.paper": {"takerFee": "1"}}, "write a share below 1"),
    mistake("a huge sentence", {"spec.riskAcknowledgement": "x" * 513}, "512"),
    mistake(
        "the exchange as a word",
        {"spec.exchange": "binance"},
        "spec.exchange",
        "must be of type object",
        local=("spec.exchange: Input should be a valid dictionary",),
    ),
    mistake(
        "the market as a word",
        {"spec.markets": ["BTC/USDT"]},
        "spec.markets[0]",
        "must be of type object",
        local=("spec.markets[0]: Input should be a valid dictionary",),
    ),
    mistake(
        "replicas in quotes",
        {"spec.replicas": "2"},
        "spec.replicas",
        "must be of type integer",
        local=("spec.replicas: Input should be a valid integer",),
    ),
    mistake("a state in lower case", {"spec.state": "active"}, '"Active"', local=_CHOICES_LOCAL),
    mistake(
        "a side twice", {"spec.risk.allowedSides": ["Buy", "Buy"]}, "Duplicate value", local=("there twice",)
    ),
    mistake(
        "a switch that YAML read as a boolean",
        {"spec.exchange.deadMansSwitch": True},
        "must be of type string",
        local=("Input should be 'Disarmed' or 'Armed'",),
    ),
    mistake("no open orders", {"spec.risk.maxOpenOrders": 0}, "greater than or equal to 1"),
    mistake("no time to delete", {"spec.deletionTimeoutSeconds": 0}, "greater than or equal to 5"),
    mistake("too fine a limit", {"spec.risk.maxDailyLoss": "0.0000000001"}, _DECIMAL),
    mistake("an empty limit", {"spec.risk.maxDailyLoss": ""}, _DECIMAL),
    mistake("no currency", {"spec.capital.currency": ABSENT}, "spec.capital.currency", local=("required",)),
    mistake(
        "a file as the class",
        {"spec.strategy": {"source": {"configMapRef": {"name": "mine"}, "class": "mine/strategy.py"}}},
        "write module.ClassName",
    ),
    mistake(
        "a misspelt field",
        {"spec.risk.maxDailyLos": "200"},
        'unknown field "spec.risk.maxDailyLos"',
        local=("spec.risk.maxDailyLos: no such field",),
    ),
    mistake(
        "a limit in the wrong place",
        {"spec.maxDailyLoss": "200"},
        'unknown field "spec.maxDailyLoss"',
        local=("spec.maxDailyLoss: no such field",),
    ),
)

_EVERYTHING: dict[str, Any] = {
    "mode": "Paper",
    "riskAcknowledgement": "",
    "exchange": {
        "name": "binance",
        "marketType": "Spot",
        "environment": "Production",
        "credentialsSecretRef": {"name": "alice-binance"},
        "unverified": "Accept",
        "withdrawals": "Accept",
        "requestWeight": 600,
        "deadMansSwitch": "Armed",
    },
    "markets": [{"symbol": "BTC/USDT", "maxPositionNotional": "5000"}],
    "strategy": {
        "name": "ma-cross",
        "timeframe": "1m",
        "parameters": {"fast": 10, "slow": 30},
        "warmup": 300,
    },
    "capital": {
        "currency": "USDT",
        "allocation": "10000",
        "perMarket": "5000",
        "maxOpenPositions": 5,
        "initialPositions": [],
    },
    "risk": {
        "maxOrderNotional": "1000",
        "maxPositionNotional": "5000",
        "maxOpenOrders": 20,
        "maxOrdersPerMinute": 60,
        "priceCollar": "0.02",
        "maxDailyLoss": "200",
        "maxDrawdown": "0.10",
        "cooldownSeconds": 0,
        "minimumBalance": "0",
        "allowedSides": ["Buy", "Sell"],
        "staleDataSeconds": 5,
        "dailyReset": {"time": "00:00", "timeZone": "UTC"},
        "onBreach": "ReduceOnly",
        "protection": {"stopLoss": "0.05", "takeProfit": "0.1", "trailingStop": "0.03"},
    },
    "paper": {"makerFee": "0", "takerFee": "0.00075", "latency": "80ms"},
    "orders": {
        "rebalanceThreshold": "0.01",
        "requoteTicks": 2,
        "requoteRatio": "0.1",
        "minimumRest": "500ms",
        "passiveTimeout": "0s",
        "stopSlippage": "0.005",
    },
    "state": "Active",
    "acknowledgedBreach": "",
    "bus": "own",
    "onBusLoss": {"after": "10s", "do": "CancelResting"},
    "deletionPolicy": "CancelOrders",
    "deletionTimeoutSeconds": 60,
    "replicas": 2,
    "resources": {
        role: {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
        for role in ("monitoring", "evaluation", "execution")
    }
    | {"egressBandwidth": "50M"},
    "topologySpread": "DoNotSchedule",
    "logLevel": "Debug",
}

VARIATIONS: dict[str, dict[str, Any]] = {
    "every field": {"spec": _EVERYTHING},
    "the least": {},
    "live": LIVE,
    "an empty share": {"spec.capital.perMarket": ""},
    "several markets": {"spec.markets": [{"symbol": "BTC/USDT"}, {"symbol": "ETH/USDT"}]},
    "a name of 40 characters": {"metadata.name": "a" * 40},
    "string parameters": {
        "spec.strategy": {"name": "bollinger", "parameters": {"width": "0.5", "period": "20", "fraction": 1}}
    },
    "limits equal to the allocation": {
        "spec.risk": {"maxOrderNotional": "10000.0", "maxPositionNotional": "10000", "maxDailyLoss": "10000"}
    },
    "nine decimal places": {"spec.risk.maxDailyLoss": "0.000000001"},
    "a small price": {
        "spec.capital.initialPositions": [
            {"symbol": "BTC/USDT", "quantity": "0.00000001", "averagePrice": "0.000000000000000001"}
        ]
    },
    "an own strategy": {
        "spec.strategy": {"source": {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}}
    },
    "a strategy in an image of its own": {
        "spec.strategy": {"source": {"image": _IMAGE, "class": "mine.Mine"}}
    },
    "a CPU limit": {"spec.resources": {"execution": {"limits": {"cpu": "1"}}}},
    "every state": {"spec.state": "Halted"},
    "another time zone": {"spec.risk.dailyReset": {"time": "17:00", "timeZone": "America/New_York"}},
}

IMMUTABLE: dict[str, dict[str, Any]] = {
    "spec.bus": {"spec.bus": "other"},
    "spec.mode": LIVE,
    "spec.exchange.name": {"spec.exchange.name": "kraken"},
    "spec.exchange.environment": {"spec.exchange.environment": "Production"},
    "spec.capital.currency": {
        "spec.capital.currency": "USDC",
        "spec.markets": [{"symbol": "BTC/USDC"}],
    },
}

MUTABLE: dict[str, Any] = {
    "spec.state": "Paused",
    "spec.strategy.parameters": {"fast": 5, "slow": 60},
    "spec.capital.allocation": "20000",
    "spec.replicas": 1,
    "spec.acknowledgedBreach": "b1",
    "spec.markets": [{"symbol": "BTC/USDT"}, {"symbol": "ETH/USDT"}],
}

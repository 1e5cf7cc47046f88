"""What each process of a local run is started with: plain data from the manifest and the options."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from smarttrade.api import Mode, TradingAccount, TradingAccountSpec
from smarttrade.api.catalogue import Catalogue, Endpoint
from smarttrade.bus.subjects import ROLES
from smarttrade.cli.local.options import Options
from smarttrade.errors import ConfigurationError
from smarttrade.identity import AccountIdentity

INSTALLATION = "local"
SIMULATOR = "Simulator"
PYTHON_MODULE = (sys.executable, "-m")

_KEPT_EXACTLY = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV"}
_KEPT_PREFIXES = (
    "LC_",
    "PYTHON",
    "SSL_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)

# An account may own more than its allocation; fees and slippage must not run it dry.
_SPARE = Decimal(2)


@dataclass(frozen=True, kw_only=True)
class Container:
    """One process of one pod."""

    pod: str
    role: str
    command: list[str]
    environment: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.pod}/{self.role}"


@dataclass(frozen=True, kw_only=True)
class World:
    """What the containers of one run have in common."""

    nats_url: str
    endpoint: Endpoint
    credentials: Path
    exchange_credentials: Path


def identify(account: TradingAccount) -> AccountIdentity:
    return AccountIdentity(
        INSTALLATION, account.metadata.get("namespace") or "default", account.metadata["name"]
    )


def is_simulated(spec: TradingAccountSpec, options: Options) -> bool:
    """The simulated exchange is part of the run, unless a catalogue says where another one is."""
    return spec.exchange.environment == SIMULATOR and options.catalogue is None


def check_options(spec: TradingAccountSpec, options: Options) -> None:
    """ConfigurationError for what the manifest needs and the options lack, or the other way round."""
    simulated = is_simulated(spec, options)
    if not simulated and (options.data or options.compress):
        raise ConfigurationError("--data and --compress are for exchange.environment Simulator only")
    if options.data and not options.data.is_file():
        raise ConfigurationError(f"--data {options.data}: there is no such file")
    if not simulated and spec.mode is Mode.LIVE:
        _check_credentials(options.credentials)
    if spec.strategy.source and not options.source:
        raise ConfigurationError(
            "strategy.source needs --source DIR with its Python files: there are no ConfigMaps here"
        )
    if options.source and not options.source.is_dir():
        raise ConfigurationError(f"--source {options.source}: there is no such directory")


def _check_credentials(directory: Path | None) -> None:
    if directory is None:
        raise ConfigurationError("mode Live needs --credentials DIR with the files apiKey and secret")
    missing = [name for name in ("apiKey", "secret") if not (directory / name).is_file()]
    if missing:
        raise ConfigurationError(f"--credentials {directory} lacks the file {' and '.join(missing)}")


def choose_endpoint(spec: TradingAccountSpec, options: Options) -> Endpoint:
    """Where the exchange is when it is not simulated here."""
    exchange = spec.exchange
    if options.catalogue:
        return Catalogue.load(options.catalogue).find(exchange.name, exchange.environment)
    known = {"Production": Endpoint(), "Testnet": Endpoint(sandbox=True)}
    if exchange.environment not in known:
        raise ConfigurationError(
            f"exchange.environment {exchange.environment} is not known here: give --catalogue FILE"
        )
    return known[exchange.environment]


def build_simulator_endpoint(rest: str, websocket: str) -> Endpoint:
    return Endpoint(rest=rest, websocket=websocket, websocket_api=websocket)


def build_simulator_config(
    account: TradingAccount, options: Options, key: Mapping[str, str]
) -> dict[str, Any]:
    """The simulator's YAML: the account's markets, and one user who owns what the account may use."""
    spec = account.spec
    balances = {spec.capital.currency: spec.capital.allocation * _SPARE}
    for held in spec.capital.initial_positions:
        base = held.symbol.split("/")[0]
        balances[base] = balances.get(base, Decimal(0)) + held.quantity
    config: dict[str, Any] = {
        "symbols": [market.symbol for market in spec.markets],
        "seed": options.seed,
        "users": [
            {
                "name": account.metadata["name"],
                "key": key["apiKey"],
                "secret": key["secret"],
                "balances": {asset: str(amount) for asset, amount in balances.items()},
            }
        ],
    }
    if options.data:
        config["data"] = str(options.data.resolve())
    if options.compress:
        config["compress"] = options.compress
    return config


def build_containers(
    account: TradingAccount,
    world: World,
    ports: Mapping[str, int],
    environment: Mapping[str, str] = os.environ,
) -> list[Container]:
    """Three a replica; `ports` maps `pod/role` to the port of its probes."""
    pods = [f"{account.metadata['name']}-{index}" for index in range(account.spec.replicas)]
    kept = build_environment(environment)
    return [
        Container(
            pod=pod,
            role=role,
            command=[*PYTHON_MODULE, f"smarttrade.{role}"],
            environment=kept | _settings(account, world, pod, role, ports[f"{pod}/{role}"]),
        )
        for pod in pods
        for role in ROLES
    ]


def build_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a child may know of ours: enough to run, none of our secrets."""
    return {name: value for name, value in environment.items() if _is_kept(name)}


def container_names(account: TradingAccount) -> list[str]:
    name = account.metadata["name"]
    return [f"{name}-{index}/{role}" for index in range(account.spec.replicas) for role in ROLES]


def _settings(account: TradingAccount, world: World, pod: str, role: str, port: int) -> dict[str, str]:
    identity = identify(account)
    settings = {
        "SMARTTRADE_INSTALLATION": identity.installation,
        "SMARTTRADE_NAMESPACE": identity.namespace,
        "SMARTTRADE_ACCOUNT": identity.name,
        "SMARTTRADE_POD": pod,
        "SMARTTRADE_NATS_URL": world.nats_url,
        "SMARTTRADE_NATS_CREDENTIALS": str(world.credentials / f"{role}.creds"),
        "SMARTTRADE_HOST": "127.0.0.1",
        "SMARTTRADE_PORT": str(port),
        "SMARTTRADE_REPLICAS": str(account.spec.replicas),
        "SMARTTRADE_LOG_LEVEL": account.spec.log_level.value.lower(),
    }
    if role != "evaluation":
        settings["SMARTTRADE_ENDPOINT"] = world.endpoint.model_dump_json(by_alias=True)
    if role == "execution":
        settings["SMARTTRADE_EXCHANGE_CREDENTIALS"] = str(world.exchange_credentials)
        settings["SMARTTRADE_COMMAND_SOCKET"] = str(world.credentials / f"{pod}.sock")
    return settings


def _is_kept(name: str) -> bool:
    return name in _KEPT_EXACTLY or name.startswith(_KEPT_PREFIXES)

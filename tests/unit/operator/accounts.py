"""Objects and settings that the operator's unit tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smarttrade.api import RISK_ACKNOWLEDGEMENT, TradingAccount
from smarttrade.api.catalogue import Endpoint
from smarttrade.identity import AccountIdentity
from smarttrade_operator.children import Blueprint
from smarttrade_operator.children.blueprint import Aliases
from smarttrade_operator.settings import Network, Runtime, Settings

IDENTITY = AccountIdentity("smarttrade", "alice", "alice")
NETWORK = Network(
    nats_url="nats://smarttrade-nats.smarttrade-system.svc:4222",
    nats_namespace="smarttrade-system",
    nats_pod_labels={"app.kubernetes.io/name": "nats"},
)
GATEWAYS = tuple(f"gateway-{number}.smarttrade-system.svc:4750" for number in range(3))
ALIASES = (
    ("10.96.0.7", "gateway-0.smarttrade-system.svc"),
    ("10.96.0.9", "smarttrade-nats.smarttrade-system.svc"),
)
RUNTIME = Runtime(image="smarttrade-runtime:1")
SIMULATOR = {
    "rest": "http://simulator:8080",
    "pods": {"namespaceLabels": {"ns": "system"}, "podLabels": {"app": "simulator"}, "port": 8080},
}
SETTINGS = Settings(
    installation="smarttrade",
    namespace="smarttrade-system",
    pod="operator-a",
    watch_namespaces=(),
    keys=Path("/keys"),
    catalogue=Path("/catalogue.yaml"),
    runtime=RUNTIME,
    network=NETWORK,
)


def build_manifest(**spec: Any) -> dict[str, Any]:
    """An account as the API server returns it."""
    return {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "metadata": {
            "name": "alice",
            "namespace": "alice",
            "uid": "3e1b",
            "generation": 4,
            "resourceVersion": "17",
        },
        "spec": {
            "exchange": {"name": "binance", "environment": "Simulator"},
            "markets": [{"symbol": "BTC/USDT"}],
            "strategy": {"name": "ma-cross", "timeframe": "1m"},
            "capital": {"currency": "USDT", "allocation": "10000"},
            "risk": {
                "maxOrderNotional": "1000",
                "maxPositionNotional": "5000",
                "maxDailyLoss": "200",
                "maxDrawdown": "0.1",
            },
            **spec,
        },
    }


def build_live(**spec: Any) -> dict[str, Any]:
    exchange = {
        "name": "binance",
        "environment": "Simulator",
        "credentialsSecretRef": {"name": "alice-binance"},
    }
    return build_manifest(mode="Live", riskAcknowledgement=RISK_ACKNOWLEDGEMENT, exchange=exchange, **spec)


def build_blueprint(
    manifest: dict[str, Any] | None = None,
    endpoint: dict[str, Any] | None = None,
    network: Network = NETWORK,
    aliases: Aliases = (),
) -> Blueprint:
    account = TradingAccount.model_validate(manifest or build_manifest())
    return Blueprint(
        identity=IDENTITY,
        uid="3e1b",
        spec=account.spec,
        endpoint=Endpoint.model_validate(SIMULATOR if endpoint is None else endpoint),
        runtime=RUNTIME,
        network=network,
        aliases=aliases,
    )

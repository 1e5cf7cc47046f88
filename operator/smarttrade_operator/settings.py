"""Everything the operator is told from outside, read once from the environment.

The chart sets these; a bad value stops the start with the variable's name, because an operator that runs on
a guess would roll every account's pods on the day the guess changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from smarttrade.bus.assets import Retention
from smarttrade.bus.keys import OperatorKeys
from smarttrade.errors import ConfigurationError

Labels = dict[str, str]
# What people call the NATS servers that are nobody's own; objects leave their name out.
SHARED = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How the account's pods are run: `SMARTTRADE_RUNTIME_*`. Strategies' own images may come from the
    repositories in `strategy_images`, or from below them."""

    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    runtime_class: str = ""
    priority_class: str = ""
    strategy_images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtests:
    """How Backtests are run, and what all of a namespace may use together: `SMARTTRADE_BACKTEST_*`.

    Without an image it is the runtime's; without a priority class there is no quota.
    """

    image: str = ""
    priority_class: str = ""
    quota_pods: int = 16
    quota_cpu: str = "8"
    quota_memory: str = "32Gi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the account's pods may reach besides their exchange, and who may scrape them.

    With `gateways` (`host:port` each) they reach their exchange through these alone, and no DNS;
    `gateway_withdrawn` is the ConfigMap in which these read whose passwords are withdrawn.
    `nats_tls` is the folder with the certificate (ca.crt) that the servers are verified by, and with theirs
    (tls.crt) where they are the installation's own.
    """

    nats_url: str
    nats_tls: Path | None = None
    nats_port: int = 4222
    nats_namespace: str = ""
    nats_pod_labels: Labels = field(default_factory=dict)
    nats_cidrs: tuple[str, ...] = ()
    dns_namespace_labels: Labels = field(
        default_factory=lambda: {"kubernetes.io/metadata.name": "kube-system"}
    )
    dns_pod_labels: Labels = field(default_factory=lambda: {"k8s-app": "kube-dns"})
    cluster_cidrs: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    gateway_namespace: str = ""
    gateway_pod_labels: Labels = field(default_factory=dict)
    gateway_withdrawn: str = ""
    metrics_namespace_labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """Dedicated NATS servers: an entry of `SMARTTRADE_BUSES`, which is JSON, by the name that objects use.

    They carry accounts of these namespaces alone. Keys, TLS and namespace are those of the shared servers.
    """

    url: str
    namespaces: tuple[str, ...]
    pod_labels: Labels
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One operator process. Durations are seconds.

    `nats_certificate` is the Secret in which the servers' certificate, for `nats_names`, is issued anew in
    time; empty where somebody else does it.
    """

    installation: str
    namespace: str
    pod: str
    watch_namespaces: tuple[str, ...]
    keys: Path
    catalogue: Path
    runtime: Runtime
    network: Network
    backtests: Backtests = field(default_factory=Backtests)
    buses: Mapping[str, Bus] = field(default_factory=dict)
    nats_cluster: str = "default"
    nats_replicas: int = 1
    nats_certificate: str = ""
    nats_names: tuple[str, ...] = ()
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet probes the pod's address
    port: int = 8080
    log_level: str = "info"
    concurrency: int = 8
    resync_s: float = 600.0
    audit_s: float = 60.0
    lease_s: float = 15.0
    status_writes_per_s: float = 20.0
    retention: Retention = field(default_factory=Retention)

    def admits(self, namespace: str, bus: str) -> bool:
        """Whether accounts of the namespace may use the dedicated servers of that name; all may use the
        shared ones, whose name is empty."""
        return not bus or (bus in self.buses and namespace in self.buses[bus].namespaces)

    def network_of(self, bus: str) -> Network:
        """What the accounts on these servers may reach."""
        if not bus:
            return self.network
        url, pods = self.buses[bus].url, self.buses[bus].pod_labels
        return replace(self.network, nats_url=url, nats_port=_port(url), nats_pod_labels=pods)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `SMARTTRADE_*`; ConfigurationError names the variable that is missing or malformed."""
        read = _Reader(environ)
        return cls(
            installation=read.text("INSTALLATION", "smarttrade"),
            namespace=read.text("OPERATOR_NAMESPACE", "smarttrade-system"),
            pod=read.text("OPERATOR_POD", os.uname().nodename),
            watch_namespaces=read.words("WATCH_NAMESPACES"),
            keys=Path(read.text("KEYS", "/etc/smarttrade/keys")),
            catalogue=Path(read.text("CATALOGUE", "/etc/smarttrade/catalogue/catalogue.yaml")),
            runtime=_read_runtime(read),
            network=_read_network(read),
            backtests=_read_backtests(read),
            buses=_read_buses(read),
            nats_cluster=read.text("NATS_CLUSTER", "default"),
            nats_replicas=int(read.number("NATS_REPLICAS", 1)),
            nats_certificate=read.text("NATS_CERTIFICATE", ""),
            nats_names=read.words("NATS_NAMES"),
            host=read.text("HOST", "0.0.0.0"),  # noqa: S104
            port=int(read.number("PORT", 8080)),
            log_level=read.text("LOG_LEVEL", "info"),
            concurrency=int(read.number("CONCURRENCY", 8)),
            resync_s=read.number("RESYNC_SECONDS", 600),
            audit_s=read.number("AUDIT_SECONDS", 60),
            lease_s=read.number("LEASE_SECONDS", 15),
            status_writes_per_s=read.number("STATUS_WRITES_PER_SECOND", 20),
            retention=_read_retention(read),
        )


def read_keys(directory: Path) -> OperatorKeys:
    """The keys as `smarttrade-operator keys` made them, from the mounted Secret."""
    try:
        files = {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}
    except OSError as error:
        raise ConfigurationError(f"cannot read the NATS keys in {directory}: {error.strerror}") from error
    return OperatorKeys.from_files(files)


def _read_runtime(read: _Reader) -> Runtime:
    return Runtime(
        image=read.text("RUNTIME_IMAGE"),
        pull_policy=read.one_of("RUNTIME_PULL_POLICY", "IfNotPresent", ("Always", "IfNotPresent", "Never")),
        pull_secrets=read.words("RUNTIME_PULL_SECRETS"),
        runtime_class=read.text("RUNTIME_CLASS", ""),
        priority_class=read.text("RUNTIME_PRIORITY_CLASS", ""),
        strategy_images=read.words("RUNTIME_STRATEGY_IMAGES"),
    )


def _read_backtests(read: _Reader) -> Backtests:
    defaults = Backtests()
    return Backtests(
        image=read.text("BACKTEST_IMAGE", ""),
        priority_class=read.text("BACKTEST_PRIORITY_CLASS", ""),
        quota_pods=int(read.number("BACKTEST_QUOTA_PODS", defaults.quota_pods)),
        quota_cpu=read.text("BACKTEST_QUOTA_CPU", defaults.quota_cpu),
        quota_memory=read.text("BACKTEST_QUOTA_MEMORY", defaults.quota_memory),
    )


def _read_retention(read: _Reader) -> Retention:
    defaults = Retention()
    return Retention(
        seconds=read.number("RETENTION_SECONDS", defaults.seconds),
        max_bytes=int(read.number("RETENTION_BYTES", defaults.max_bytes)),
    )


def _read_network(read: _Reader) -> Network:
    nats_url = read.text("NATS_URL")
    defaults, tls = Network(nats_url=nats_url), read.text("NATS_TLS", "")
    return Network(
        nats_url=nats_url,
        nats_tls=Path(tls) if tls else None,
        nats_port=_port(nats_url),
        nats_namespace=read.text("NATS_NAMESPACE", read.text("OPERATOR_NAMESPACE", "smarttrade-system")),
        nats_pod_labels=read.labels("NATS_POD_LABELS", {"app.kubernetes.io/name": "nats"}),
        nats_cidrs=read.words("NATS_CIDRS"),
        dns_namespace_labels=read.labels("DNS_NAMESPACE_LABELS", defaults.dns_namespace_labels),
        dns_pod_labels=read.labels("DNS_POD_LABELS", defaults.dns_pod_labels),
        cluster_cidrs=read.words("CLUSTER_CIDRS"),
        gateways=read.words("GATEWAYS"),
        gateway_namespace=read.text("OPERATOR_NAMESPACE", "smarttrade-system"),
        gateway_withdrawn=read.text("GATEWAY_WITHDRAWN", ""),
        gateway_pod_labels=read.labels("GATEWAY_POD_LABELS", {"app.kubernetes.io/name": "egress-gateway"}),
        metrics_namespace_labels=read.labels("METRICS_NAMESPACE_LABELS", {}),
    )


def _read_buses(read: _Reader) -> dict[str, Bus]:
    try:
        buses = msgspec.json.decode(read.text("BUSES", "{}"), type=dict[str, Bus])
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"SMARTTRADE_BUSES is not what it must be: {error}") from error
    if taken := buses.keys() & {"", SHARED}:
        raise ConfigurationError(f"SMARTTRADE_BUSES: {taken.pop()!r} is the name of the shared servers")
    return buses


def _port(nats_url: str) -> int:
    return urlsplit(nats_url.split(",")[0]).port or 4222


class _Reader:
    """Typed access to `SMARTTRADE_*`; an empty value counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environ.get(f"SMARTTRADE_{name}", "").strip()
        if value:
            return value
        if default is None:
            raise ConfigurationError(f"SMARTTRADE_{name} is not set: the operator cannot start without it")
        return default

    def words(self, name: str) -> tuple[str, ...]:
        """Comma-separated words."""
        return tuple(word.strip() for word in self.text(name, "").split(",") if word.strip())

    def number(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError as error:
            raise ConfigurationError(f"SMARTTRADE_{name}={text!r} is not a number") from error
        if value <= 0:
            raise ConfigurationError(f"SMARTTRADE_{name}={text!r} must be greater than zero")
        return value

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise ConfigurationError(f"SMARTTRADE_{name}={value!r} must be one of {', '.join(allowed)}")
        return value

    def labels(self, name: str, default: Labels) -> Labels:
        """Labels as `key=value,key=value`."""
        words = self.words(name)
        pairs = [word.partition("=") for word in words]
        if any(not key or not sign for key, sign, _ in pairs):
            raise ConfigurationError(f"SMARTTRADE_{name}={','.join(words)!r} must read key=value,key=value")
        return {key: value for key, _, value in pairs} or dict(default)

"""Makes the installation's NATS keys once, and the servers' configuration and certificate from them.

The keys are never regenerated: new ones would cut every account off. If their Secret is there, it is used as
it is, and an incomplete one is an error for people to solve. The configuration holds no secret and is written
anew at every run, since an upgrade may change it. The certificate is issued where there is none, or it is
due; afterwards the operator does (see `certificates`).
"""

from __future__ import annotations

import argparse
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from smarttrade.bus.certificates import build_authority, is_due, issue
from smarttrade.bus.gateway import build_gateway_key
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import build_config
from smarttrade.errors import ConfigurationError
from smarttrade_operator.kinds import SECRET, Manifest
from smarttrade_operator.kube import Conflict, Kube, NotFound

KEYS_SECRET = "smarttrade-keys"  # noqa: S105 - a name
CONFIG_SECRET = "smarttrade-nats-config"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class BusConfig:
    """Of one set of dedicated servers: the Secret with their nats.conf, their name and their routes."""

    secret: str
    cluster: str
    routes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> BusConfig:
        """From `SECRET=NAME=ROUTE,ROUTE`; ValueError for anything else."""
        secret, cluster, routes = text.split("=")
        return cls(secret, cluster, tuple(route for route in routes.split(",") if route))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyJob:
    """Where the Secrets go, and what the servers' configuration says besides the keys.

    `buses` are the dedicated servers, whose configuration differs in the place and in these things alone.
    `tls` is the folder in which the servers find their certificate; without `certificate_secret` somebody
    else provides it.
    """

    namespace: str
    keys_secret: str = KEYS_SECRET
    config_secret: str = CONFIG_SECRET
    store_dir: str = "/data"
    server_name: str = "$SERVER_NAME"
    cluster_name: str = "smarttrade"
    routes: tuple[str, ...] = ()
    keys_must_exist: bool = False
    gateway_secret: str = ""
    tls: str | None = None
    certificate_secret: str = ""
    names: tuple[str, ...] = ()
    buses: tuple[BusConfig, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", required=True, help="namespace of the two Secrets")
    parser.add_argument(
        "--keys-secret", default=KEYS_SECRET, help="Secret with the keys; made if it is missing"
    )
    parser.add_argument(
        "--keys-must-exist", action="store_true", help="do not make the keys: somebody else provides them"
    )
    parser.add_argument(
        "--config-secret", default=CONFIG_SECRET, help="Secret with nats.conf; always written"
    )
    parser.add_argument(
        "--gateway-secret", default="", help="Secret with the egress gateways' key; written if named"
    )
    parser.add_argument("--store-dir", default="/data", help="where nats-server keeps its data")
    parser.add_argument("--server-name", default="$SERVER_NAME", help="a variable, one value for each server")
    parser.add_argument("--cluster-name", default="smarttrade")
    parser.add_argument(
        "--route", action="append", default=[], help="nats:// address of each server of a cluster"
    )
    parser.add_argument(
        "--bus",
        action="append",
        default=[],
        type=BusConfig.parse,
        help="SECRET=NAME=ROUTE,ROUTE of dedicated servers, which get a configuration of their own",
    )
    parser.add_argument("--tls", help="folder in which the servers find ca.crt, tls.crt and tls.key")
    parser.add_argument(
        "--certificate-secret", default="", help="Secret with the servers' certificate; issued when it is due"
    )
    parser.add_argument(
        "--name", action="append", default=[], help="host name or address that the certificate is for"
    )


def from_arguments(arguments: argparse.Namespace) -> KeyJob:
    return KeyJob(
        namespace=arguments.namespace,
        keys_secret=arguments.keys_secret,
        config_secret=arguments.config_secret,
        store_dir=arguments.store_dir,
        server_name=arguments.server_name,
        cluster_name=arguments.cluster_name,
        routes=tuple(arguments.route),
        keys_must_exist=arguments.keys_must_exist,
        gateway_secret=arguments.gateway_secret,
        tls=arguments.tls,
        certificate_secret=arguments.certificate_secret,
        names=tuple(arguments.name),
        buses=tuple(arguments.bus),
    )


async def run(job: KeyJob) -> None:
    """Leave the Secrets in place; safe to run again and at the same time."""
    async with await Kube.connect() as kube:
        keys = await _ensure_keys(kube, job)
        if job.certificate_secret:
            await _ensure_certificate(kube, job, keys)
        for bus in (BusConfig(job.config_secret, job.cluster_name, job.routes), *job.buses):
            own = replace(job, cluster_name=bus.cluster, routes=bus.routes)
            files = {"nats.conf": build_server_config(keys, own)}
            await kube.apply(build_secret(job.namespace, bus.secret, files))
            _log.info("NATS configuration written", secret=f"{job.namespace}/{bus.secret}")
        if job.gateway_secret:
            await kube.apply(
                build_secret(job.namespace, job.gateway_secret, {"key": build_gateway_key(keys.master)})
            )


async def _ensure_keys(kube: Kube, job: KeyJob) -> OperatorKeys:
    try:
        return _read(await kube.get(SECRET, job.namespace, job.keys_secret))
    except NotFound:
        await _refuse_to_replace(kube, job)
        keys = OperatorKeys.generate()
    try:
        await kube.create(build_secret(job.namespace, job.keys_secret, keys.to_files()))
    except Conflict:
        return _read(await kube.get(SECRET, job.namespace, job.keys_secret))
    _log.info("NATS keys made", secret=f"{job.namespace}/{job.keys_secret}")
    return keys


async def _ensure_certificate(kube: Kube, job: KeyJob, keys: OperatorKeys) -> None:
    now = datetime.now(UTC)
    try:
        found = _read_files(await kube.get(SECRET, job.namespace, job.certificate_secret))
    except NotFound:
        found = {}
    known = found.get("ca.crt") == build_authority(keys.master) and "tls.key" in found
    if known and not is_due(found.get("tls.crt", ""), job.names, now):
        return
    files = issue(keys.master, job.names, now).to_files()
    await kube.apply(build_secret(job.namespace, job.certificate_secret, files))
    _log.info("NATS certificate issued", secret=f"{job.namespace}/{job.certificate_secret}", names=job.names)


async def _refuse_to_replace(kube: Kube, job: KeyJob) -> None:
    """Keys that are in use must not be made anew: every account would be cut off from its log."""
    missing = f"Secret {job.namespace}/{job.keys_secret} with the NATS keys is missing"
    if job.keys_must_exist:
        raise ConfigurationError(f"{missing}: create it, or correct keys.existingSecret")
    try:
        await kube.get(SECRET, job.namespace, job.config_secret)
    except NotFound:
        return
    raise ConfigurationError(
        f"{missing}, but the servers' configuration {job.config_secret} made with them is there: restore the "
        "keys from a backup; to begin anew without the accounts' data, delete that Secret as well"
    )


def _read(secret: Manifest) -> OperatorKeys:
    return OperatorKeys.from_files(_read_files(secret))


def _read_files(secret: Manifest) -> dict[str, str]:
    return {name: b64decode(value).decode() for name, value in (secret.get("data") or {}).items()}


def build_server_config(keys: OperatorKeys, job: KeyJob) -> str:
    """nats.conf; `cluster` only where there is more than one server."""
    routes = ", ".join(job.routes)
    cluster = f"  name: {job.cluster_name}\n  listen: 0.0.0.0:6222\n  routes: [{routes}]" if routes else None
    return build_config(
        keys,
        store_dir=job.store_dir,
        monitor="0.0.0.0:8222",
        server_name=job.server_name,
        cluster=cluster,
        tls=job.tls,
    )


def build_secret(namespace: str, name: str, files: dict[str, str]) -> Manifest:
    """Kept by Helm when the release goes: the accounts' data is worthless without its keys."""
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "smarttrade"},
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "type": "Opaque",
        "data": {file: b64encode(text.encode()).decode() for file, text in sorted(files.items())},
    }


_log = structlog.get_logger()

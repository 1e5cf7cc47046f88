"""A container's world, read once from the environment.

Only what cannot change while the pod lives is here; everything else arrives as control. A bad value ends the
process with the variable's name: a container on a guess would trade on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smarttrade.errors import ConfigurationError
from smarttrade.identity import AccountIdentity

DEFAULT_PORTS = {"monitoring": 8081, "evaluation": 8082, "execution": 8083}
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

_POD = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One container. `endpoint` is the JSON of the catalogue's entry; `host` None means every interface;
    `gateways` are `host:port`, in the order in which they are tried; `strategy_image` is what
    evaluation runs in, if that is a strategy's own."""

    role: str
    identity: AccountIdentity
    pod: str
    nats_url: str
    nats_credentials: Path
    endpoint: str
    exchange_credentials: Path
    port: int
    host: str | None
    replicas: int
    log_level: str
    gateways: tuple[str, ...] = ()
    gateway_credentials: Path = Path("/etc/smarttrade/nats/gateway.credentials")
    nats_authority: Path | None = None
    command_socket: Path = Path("/tmp/execution.sock")  # noqa: S108 - the container's own emptyDir
    strategy_image: str = ""

    @classmethod
    def from_environment(cls, role: str, environment: Mapping[str, str] = os.environ) -> Settings:
        """ConfigurationError names the variable that is missing or wrong."""
        if role not in DEFAULT_PORTS:
            raise ConfigurationError(f"unknown role {role!r}: one of {', '.join(DEFAULT_PORTS)}")
        read = _Reader(environment)
        return cls(
            role=role,
            identity=AccountIdentity(
                read.required("SMARTTRADE_INSTALLATION"),
                read.required("SMARTTRADE_NAMESPACE"),
                read.required("SMARTTRADE_ACCOUNT"),
            ),
            pod=read.pod("SMARTTRADE_POD"),
            nats_url=read.required("SMARTTRADE_NATS_URL"),
            nats_credentials=Path(
                read.text("SMARTTRADE_NATS_CREDENTIALS", f"/etc/smarttrade/nats/{role}.creds")
            ),
            nats_authority=read.path("SMARTTRADE_NATS_AUTHORITY"),
            endpoint=read.text("SMARTTRADE_ENDPOINT", "{}"),
            exchange_credentials=Path(
                read.text("SMARTTRADE_EXCHANGE_CREDENTIALS", "/etc/smarttrade/exchange")
            ),
            gateways=read.words("SMARTTRADE_GATEWAYS"),
            gateway_credentials=Path(
                read.text("SMARTTRADE_GATEWAY_CREDENTIALS", "/etc/smarttrade/nats/gateway.credentials")
            ),
            command_socket=Path(read.text("SMARTTRADE_COMMAND_SOCKET", "/tmp/execution.sock")),  # noqa: S108
            strategy_image=read.text("SMARTTRADE_STRATEGY_IMAGE", ""),
            port=read.integer("SMARTTRADE_PORT", DEFAULT_PORTS[role], 0, 65535),
            host=environment.get("SMARTTRADE_HOST") or None,
            replicas=read.integer("SMARTTRADE_REPLICAS", 1, 1, 100),
            log_level=read.choice("SMARTTRADE_LOG_LEVEL", "info", LOG_LEVELS),
        )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name, "").split(",") if word.strip())

    def required(self, name: str) -> str:
        value = self.text(name, "")
        if not value:
            raise ConfigurationError(f"{name} is not set")
        return value

    def path(self, name: str) -> Path | None:
        value = self.text(name, "")
        return Path(value) if value else None

    def pod(self, name: str) -> str:
        value = self.required(name)
        if not _POD.fullmatch(value):
            raise ConfigurationError(f"{name}={value!r}: use lower-case letters, digits and -")
        return value

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise ConfigurationError(f"{name}={value!r}: a whole number from {least} to {most}")
        return int(value)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in choices:
            raise ConfigurationError(f"{name}={value!r}: one of {', '.join(choices)}")
        return value

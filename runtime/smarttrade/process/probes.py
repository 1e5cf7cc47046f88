"""The probes and metrics server of one process: `/livez`, `/readyz`, `/metrics`.

Whoever shares the pod's network, strategy code among them, may ask the probes and nothing else: a caller with
an address of this machine's own gets no metrics, unless the server was told one address to listen on.
Live means that the event loop turns; it never depends on NATS or the exchange, since a restart would not
bring them back but would drop what the process knows. Ready means that every named condition holds.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from smarttrade.errors import ConfigurationError
from smarttrade.process.http_server import Page, PageServer


class Probes:
    """Metrics are registered in `metrics`, readiness is told by `ready`. Port 0: see `bound_port`.

    `exposes`: serve the metrics; whoever reaches the port may read them.
    """

    def __init__(self, port: int, host: str | None = None, *, exposes: bool = True) -> None:
        self._port = port
        self._host = host
        self._conditions: dict[str, tuple[Callable[[], bool], str]] = {}
        pages = {"/livez": _live, "/readyz": self._readiness}
        kept = {"/metrics": self._exposition} if exposes else {}
        # A server on one address, as without Kubernetes, has no neighbours but its own user's.
        self._server = PageServer(pages | kept, kept_from_neighbours=frozenset(kept if host is None else ()))
        self.metrics = CollectorRegistry()
        ProcessCollector(registry=self.metrics)
        self._ready_gauge = Gauge(
            "smarttrade_ready", "1 while every condition of /readyz holds", registry=self.metrics
        )
        self._ready_gauge.set_function(lambda: float(self.is_ready))

    def ready(self, name: str, ok: bool, reason: str = "") -> None:
        """Set one condition; the first call registers it."""
        self._conditions[name] = (lambda: ok, reason)

    def follow(self, name: str, holds: Callable[[], bool], otherwise: str) -> None:
        """Look at one condition whenever readiness is asked for; while it does not hold, say `otherwise`."""
        self._conditions[name] = (holds, otherwise)

    @property
    def is_ready(self) -> bool:
        """Every condition holds; False before there is any."""
        return bool(self._conditions) and all(holds() for holds, _ in self._conditions.values())

    @property
    def bound_port(self) -> int:
        if self._server.port is None:
            raise ConfigurationError("the probes server has not been started")
        return self._server.port

    async def start(self) -> None:
        """ConfigurationError when the port is taken."""
        try:
            await self._server.start(self._host, self._port)
        except OSError as error:
            raise ConfigurationError(
                f"SMARTTRADE_PORT={self._port} cannot be used: {error.strerror}"
            ) from error

    async def stop(self) -> None:
        await self._server.stop()

    def _readiness(self) -> Page:
        lines = [
            f"ok {name}" if holds() else f"not {name} {reason}".rstrip()
            for name, (holds, reason) in self._conditions.items()
        ]
        status = HTTPStatus.OK if self.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Page(("\n".join(lines) + "\n").encode(), status)

    def _exposition(self) -> Page:
        return Page(generate_latest(self.metrics), content_type=CONTENT_TYPE_LATEST)


def _live() -> Page:
    return Page(b"ok\n")

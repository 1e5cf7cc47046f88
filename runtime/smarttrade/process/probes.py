"""The probes and metrics server of one process: `/livez`, `/readyz`, `/metrics`.

Live means that the event loop turns; it never depends on NATS or the exchange, since a restart would not
bring them back but would drop what the process knows. Ready means that every named condition holds.
"""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from smarttrade.errors import ConfigurationError


class Probes:
    """Metrics are registered in `metrics`, readiness is told by `ready`. Port 0: see `bound_port`."""

    def __init__(self, port: int, host: str | None = None) -> None:
        self._port = port
        self._host = host
        self._conditions: dict[str, tuple[bool, str]] = {}
        self._runner: web.AppRunner | None = None
        self.metrics = CollectorRegistry()
        ProcessCollector(registry=self.metrics)
        self._ready_gauge = Gauge(
            "smarttrade_ready", "1 while every condition of /readyz holds", registry=self.metrics
        )
        self._ready_gauge.set_function(lambda: float(self.is_ready))

    def ready(self, name: str, ok: bool, reason: str = "") -> None:
        """Set one condition; the first call registers it."""
        self._conditions[name] = (ok, reason)

    @property
    def is_ready(self) -> bool:
        """Every condition holds; False before there is any."""
        return bool(self._conditions) and all(ok for ok, _ in self._conditions.values())

    @property
    def bound_port(self) -> int:
        if self._runner is None:
            raise ConfigurationError("the probes server has not been started")
        port: int = self._runner.addresses[0][1]
        return port

    async def start(self) -> None:
        """ConfigurationError when the port is taken."""
        application = web.Application()
        application.add_routes(
            [
                web.get("/livez", _live),
                web.get("/readyz", self._readiness),
                web.get("/metrics", self._exposition),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            raise ConfigurationError(
                f"SMARTTRADE_PORT={self._port} cannot be used: {error.strerror}"
            ) from error

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    async def _readiness(self, _: web.Request) -> web.Response:
        lines = [
            f"{'ok' if ok else 'not'} {name} {reason}".rstrip()
            for name, (ok, reason) in self._conditions.items()
        ]
        return web.Response(status=200 if self.is_ready else 503, text="\n".join(lines) + "\n")

    async def _exposition(self, _: web.Request) -> web.Response:
        body = generate_latest(self.metrics)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _live(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")

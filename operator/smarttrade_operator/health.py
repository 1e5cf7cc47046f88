"""Probes and metrics of the operator.

Alive means that it makes progress: the watches deliver what the API server holds, and nothing waits in the
queue for minutes. An event loop that answers while a watch hangs is exactly the failure to notice. Neither
NATS nor the accounts' health is in here: restarting the operator would not help them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

QUEUE_AGE_LIMIT_S = 120.0

Check = Callable[[], str]

queue_age = Gauge(
    "smarttrade_operator_queue_age_seconds", "How long the longest-waiting account has been due."
)
queue_length = Gauge("smarttrade_operator_queue_length", "Accounts in the queue, delayed ones included.")
accounts = Gauge("smarttrade_operator_accounts", "TradingAccounts seen.", ["phase"])
kill_switch = Gauge("smarttrade_operator_kill_switch", "1 while the platform's kill switch halts all.")
certificate_expires = Gauge(
    "smarttrade_operator_nats_certificate_expires_seconds",
    "When the NATS servers' certificate expires, seconds since the epoch.",
)
leading = Gauge("smarttrade_operator_leading", "1 where this replica leads.")


@dataclass(slots=True)
class Health:
    """`/livez`, `/readyz` and `/metrics`. A check answers with what is wrong, or with an empty text."""

    host: str
    port: int
    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    refresh: Callable[[], None] = lambda: None
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/livez", self._serve(lambda: self.live))
        app.router.add_get("/readyz", self._serve(lambda: self.ready))
        app.router.add_get("/metrics", self._serve_metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _serve(
        self, checks: Callable[[], dict[str, Check]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_: web.Request) -> web.StreamResponse:
            wrong = {name: text for name, check in checks().items() if (text := check())}
            body = "\n".join(f"{name}: {text}" for name, text in wrong.items()) or "ok"
            return web.Response(text=body + "\n", status=503 if wrong else 200)

        return answer

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        self.refresh()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

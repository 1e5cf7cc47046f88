"""Keeps the NATS servers' certificate valid: issues it anew in time, and lets the servers read it.

The chart's job makes the Secret before the first server starts; here it is mounted. What bites: the kubelet
brings a changed Secret to the servers' files a minute or so later, and a server reads them only when it is
told. So the servers are told at every look, an hour apart: that costs nothing and ends no connection, and a
certificate is issued anew a month before it is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from smarttrade.bus import certificates
from smarttrade.errors import SmartTradeError
from smarttrade_operator import health
from smarttrade_operator.keyjob import build_secret
from smarttrade_operator.kube import Kube
from smarttrade_operator.settings import Settings

EVERY_S, AGAIN_S = 3600.0, 60.0


@dataclass(slots=True)
class Certificates:
    """One for the whole process. Does nothing where the servers' certificate is not mounted."""

    kube: Kube
    settings: Settings
    master: bytes
    reload: Callable[[], Awaitable[None]]
    wall: Callable[[], float]

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except SmartTradeError as error:
                _log.warning("the NATS servers' certificate was not looked after", error=str(error))
                await asyncio.sleep(AGAIN_S)
            else:
                await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Issue the certificate anew if that is due and ours to do; then let the servers read theirs."""
        folder = self.settings.network.nats_tls
        if folder is None or not (folder / "tls.crt").exists():
            return
        served = (folder / "tls.crt").read_text()
        health.certificate_expires.set(certificates.expires(served).timestamp())
        secret, names = self.settings.nats_certificate, self.settings.nats_names
        now = datetime.fromtimestamp(self.wall(), UTC)
        if secret and certificates.is_due(served, names, now):
            issued = certificates.issue(self.master, names, now)
            await self.kube.apply(build_secret(self.settings.namespace, secret, issued.to_files()))
            _log.info("NATS certificate issued", secret=secret, names=names)
        await self.reload()


_log = structlog.get_logger()

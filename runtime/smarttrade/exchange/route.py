"""The way to an exchange: straight, or over the platform's gateways, which alone are let out.

An account's gateways are in its own order and the first that answers is taken, so accounts spread over all of
them, each stays with one, and one that fails takes nobody with it. What bites: a connection that is open
stays where it is; only the next one goes over another gateway, so a change is told to whoever makes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import structlog

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError

_LOOK_EVERY_S = 2.0
_ANSWERS_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """One forward proxy and what opens it."""

    host: str
    port: int
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Gateway({self.host}:{self.port})"

    @property
    def url(self) -> str:
        """With the credentials in it, as clients want it; never to be logged."""
        return f"http://{self.user}:{self.password}@{self.host}:{self.port}"

    @property
    def authorization(self) -> str:
        """The value of `Proxy-Authorization`."""
        return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


Change = Callable[[Gateway | None], None]


class Route:
    """How connections to one endpoint are made; without gateways straight.

    `renew` gives the gateways with the credentials of the moment.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        gateways: Sequence[Gateway] = (),
        renew: Callable[[], Sequence[Gateway]] | None = None,
    ) -> None:
        self._authority = endpoint.certificate_authority
        self._gateways = tuple(gateways)
        self._renew = renew
        self._changes: list[Change] = []
        self._watching: asyncio.Task[None] | None = None
        self.gateway = self._gateways[0] if self._gateways else None

    @cached_property
    def trust(self) -> ssl.SSLContext | None:
        """The endpoint's own authority; None where everybody's are meant."""
        return ssl.create_default_context(cadata=self._authority) if self._authority else None

    def follow(self, change: Change) -> None:
        """Call with the gateway to use, now and whenever it is another one. Needs the running loop where
        there is a choice or something to renew."""
        change(self.gateway)
        if len(self._gateways) > 1 or self._renew:
            self._changes.append(change)
            if self._watching is None or self._watching.done():
                self._watching = asyncio.get_running_loop().create_task(self._watch())

    def forget(self, change: Change) -> None:
        """Whoever followed makes no more connections."""
        if change in self._changes:
            self._changes.remove(change)
        if not self._changes and self._watching:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self._read_again()
            found = await self._first_that_answers()
            if found and found != self.gateway:
                if self.gateway is None or found.port != self.gateway.port or found.host != self.gateway.host:
                    _log.warning("the way to the exchange has changed", before=self.gateway, now=found)
                else:
                    _log.info("other credentials for the way to the exchange", gateway=found)
                self.gateway = found
                for change in list(self._changes):
                    change(found)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _read_again(self) -> None:
        """Gateways with other credentials, when these were renewed."""
        if self._renew is None:
            return
        try:
            self._gateways = tuple(self._renew())
        except ConfigurationError as error:
            _log.warning("the credentials for the way to the exchange stay as they were", error=str(error))

    async def _first_that_answers(self) -> Gateway | None:
        for gateway in self._gateways:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_ANSWERS_WITHIN_S):
                    _, writer = await asyncio.open_connection(gateway.host, gateway.port)
                writer.close()
                return gateway
        return None


_log = structlog.get_logger()

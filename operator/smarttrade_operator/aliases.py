"""The few names that the accounts' pods need, so that they need no DNS, which is a way out by itself.

They are Services of the cluster, whose addresses stay for as long as they exist; one that was made anew has
another, so they are looked up again and again, and a change rolls the pods that use it. With servers outside
the cluster, or without gateways, the pods keep their DNS: addresses outside change without a word.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog

from smarttrade.api.catalogue import Catalogue, Endpoint
from smarttrade.errors import ConfigurationError
from smarttrade_operator.children.blueprint import Aliases
from smarttrade_operator.settings import Network

_LOOK_EVERY_S = 30.0
_RETRY_S = 2.0

Look = Callable[[str], Awaitable[tuple[str, ...]]]


async def look_up(name: str) -> tuple[str, ...]:
    """The addresses of a name; OSError where there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(sorted({str(address[0]) for *_, address in found}))


class KnownNames:
    """`of` an endpoint and the way there: the aliases of an account that trades there. `networks` are those
    that accounts may have. `version` counts changes."""

    def __init__(self, networks: Iterable[Network], catalogue: Catalogue, look: Look = look_up) -> None:
        self._look = look
        platform = {name for network in networks for name in _platform_names(network)}
        endpoints: Iterable[Endpoint] = ()
        if platform:
            endpoints = (each for environments in catalogue.root.values() for each in environments.values())
        self._wanted = {*platform, *(name for each in endpoints for name in _names(each))}
        self._known: dict[str, tuple[str, ...]] = {}
        self.version = 0

    def of(self, endpoint: Endpoint, network: Network) -> Aliases:
        """ConfigurationError as long as one of them has never been found."""
        platform = _platform_names(network)
        names = sorted(platform | _names(endpoint)) if platform else []
        if unknown := [name for name in names if name not in self._known]:
            raise ConfigurationError(f"{', '.join(unknown)} cannot be looked up: is the Service there?")
        return tuple((address, name) for name in names for address in self._known[name])

    async def run(self, on_change: Callable[[], None]) -> None:
        """Keep them up to date; what cannot be looked up now keeps its last addresses."""
        while self._wanted:
            if await self.refresh():
                on_change()
            await asyncio.sleep(_LOOK_EVERY_S if self._known.keys() >= self._wanted else _RETRY_S)
        await asyncio.Event().wait()

    async def refresh(self) -> bool:
        """Look all of them up; whether something has changed."""
        before = dict(self._known)
        for name in sorted(self._wanted):
            try:
                self._known[name] = await self._look(name)
            except OSError as error:
                _log.warning("a name cannot be looked up", name=name, error=str(error))
        self.version += self._known != before
        return self._known != before


def _platform_names(network: Network) -> set[str]:
    """Of servers and gateways; empty where the pods keep their DNS."""
    if not network.gateways or network.nats_cidrs:
        return set()
    servers = {urlsplit(url).hostname or "" for url in network.nats_url.split(",")}
    return servers | {gateway.rpartition(":")[0] for gateway in network.gateways}


def _names(endpoint: Endpoint) -> set[str]:
    """Of pods of this cluster; everything else is behind the gateways."""
    if endpoint.pods is None:
        return set()
    urls = (endpoint.rest, endpoint.websocket, endpoint.websocket_api)
    hosts = {urlsplit(url).hostname or "" for url in urls if url}
    return {host for host in hosts if host and not _is_address(host)}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


_log = structlog.get_logger()

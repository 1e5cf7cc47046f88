"""Ways out through the egress gateway that are not the account's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from smarttrade.bus.accounts import LIFETIME_S
from smarttrade.exchange.route import Gateway
from tests.attacks.gateway.unguarded import CREDENTIALS, EXPIRY, HEADERS, PASSWORD, TUNNELS, VARIABLE
from tests.attacks.gateway.victim import unharmed
from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.component.exchange.gateways import (
    ISSUED,
    LOOPBACK,
    USER,
    RunningGateway,
    ask,
    start_gateway,
)

MATRIX = Matrix()
CHANNEL = "egress gateway"
UNKNOWN, ELSEWHERE = "role cannot be determined", "not a catalogued host"
CATALOGUE, RANGES, WITHDRAWAL = "catalogue", "private ranges", "list of withdrawn passwords"
ANY_ADDRESS = "0.0.0.0"
METADATA, LINK_LOCAL = "169.254.169.254:80", "169.254.0.0/16"
OLD_USER = f"binance.Private.{int(time.time()) - LIFETIME_S - 60}.alice.alice"
OTHER_USER = f"binance.Other.{ISSUED}.alice.alice"


@dataclass(frozen=True)
class Way:
    """`host` is the account's own exchange, `elsewhere` a server of the attacker's; both answer. `off` is the
    guard that the gateway is started without: a hole in its catalogue, or the guard of a build of its own,
    `unguarded`. `visits` says which of the two was connected to."""

    folder: Path
    host: str
    elsewhere: str
    visits: asyncio.Queue[str]
    off: str = ""
    unguarded: Path | None = None

    @property
    def by_address(self) -> str:
        return self.host.replace("localhost", "127.0.0.1")

    @asynccontextmanager
    async def gateway(self, private: str = LOOPBACK, host: str = "") -> AsyncIterator[RunningGateway]:
        """Runs meanwhile, and another account's tunnel with it unless a guard is off, or no address of this
        machine's may be reached. `host`: another name of the account's own exchange."""
        known = {"binance.Private": [host or self.host], "binance.Other": ["other.example:443"]}
        holes = [self.host, self.elsewhere, self.by_address, METADATA] if CATALOGUE in self.off else []
        hosts = {role: [*admitted, *holes] for role, admitted in known.items()}
        program = ["env", f"{VARIABLE}={self.off}", self.unguarded] if self.unguarded else []
        running = await start_gateway(self.folder, hosts, private, program)
        try:
            if self.off or not private:
                yield running
                return
            async with unharmed(running, host or self.host):
                yield running
        finally:
            running.stop()


def build_request(host: str, gateway: Gateway | None, more: str = "") -> str:
    """A CONNECT with the gateway's credentials, without any where there is none."""
    opened = f"Proxy-Authorization: {gateway.authorization}\r\n" if gateway else ""
    return f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{opened}{more}\r\n"


def _tell(answer: str) -> Outcome:
    return Succeeded("a way out") if " 200 " in answer.splitlines()[0] else Refused(answer)


def _declare(
    name: str, tries: str, refusal: str, make: Callable[[Way, RunningGateway], str], guard: str = ""
) -> None:
    @MATRIX.attempt(name, CHANNEL, tries, refusal=refusal, guard=guard)
    async def attempt(way: Way) -> Outcome:
        async with way.gateway() as gateway:
            return _tell(await ask(gateway, make(way, gateway)))


_declare(
    "leave-without-password",
    "opens a tunnel without credentials, as a strategy has to",
    UNKNOWN,
    lambda way, gateway: build_request(way.host, None),
    CREDENTIALS,
)
_declare(
    "guess-the-password",
    "opens a tunnel with a guessed password",
    UNKNOWN,
    lambda way, gateway: build_request(way.host, gateway.opened_by(password="guess")),
    PASSWORD,
)
_declare(
    "leave-as-another",
    "opens a tunnel as another account with its own password",
    UNKNOWN,
    lambda way, gateway: build_request(way.host, gateway.opened_by(USER + "x", gateway.opened_by().password)),
    PASSWORD,
)
_declare(
    "old-password",
    "opens a tunnel with a password of a former period",
    UNKNOWN,
    lambda way, gateway: build_request(way.host, gateway.opened_by(OLD_USER)),
    EXPIRY,
)
_declare(
    "stretch-the-password",
    "says in its user name that a password of a former period was issued just now",
    UNKNOWN,
    lambda way, gateway: build_request(
        way.host, gateway.opened_by(USER, gateway.opened_by(OLD_USER).password)
    ),
    PASSWORD,
)
_declare(
    "leave-for-elsewhere",
    "opens a tunnel to a server of its own",
    ELSEWHERE,
    lambda way, gateway: build_request(way.elsewhere, gateway.opened_by()),
    CATALOGUE,
)
_declare(
    "leave-by-another-environment",
    "opens a tunnel with credentials of another exchange environment",
    ELSEWHERE,
    lambda way, gateway: build_request(way.host, gateway.opened_by(OTHER_USER)),
    CATALOGUE,
)
_declare(
    "leave-by-another-port",
    "opens a tunnel to another port of its exchange",
    ELSEWHERE,
    lambda way, gateway: build_request(way.elsewhere, gateway.opened_by()),
    CATALOGUE,
)
_declare(
    "leave-by-address",
    "names its exchange by address, past the check of names",
    ELSEWHERE,
    lambda way, gateway: build_request(way.by_address, gateway.opened_by()),
    CATALOGUE,
)
_declare(
    "leave-in-plain-text",
    "has the gateway fetch a page for it",
    "405",
    lambda way, gateway: (
        f"GET http://{way.host}/ HTTP/1.1\r\nHost: {way.host}\r\nConnection: close\r\n"
        f"Proxy-Authorization: {gateway.opened_by().authorization}\r\n\r\n"
    ),
    TUNNELS,
)


@MATRIX.attempt(
    "leave-by-a-proxy-of-ones-own",
    CHANNEL,
    "names in a header a proxy of its own, by which the tunnel shall go",
    refusal="straight to the exchange",
    guard=HEADERS,
)
async def leave_by_a_proxy(way: Way) -> Outcome:
    # To what it takes for this machine no gateway would go by a proxy.
    host = way.host.replace("localhost", ANY_ADDRESS)
    header = f"X-Upstream-Https-Proxy: http://{way.elsewhere}\r\n"
    async with way.gateway(f"{LOOPBACK},{ANY_ADDRESS}/32", host) as gateway:
        while not way.visits.empty():
            way.visits.get_nowait()  # the victim's
        answer = await ask(gateway, build_request(host, gateway.opened_by(), header))
        if " 200 " not in answer:
            return Refused(answer)
        visited = await asyncio.wait_for(way.visits.get(), 10)
    if visited == way.elsewhere:
        return Succeeded("the tunnel goes by the attacker's proxy")
    return Refused("it goes straight to the exchange")


@MATRIX.attempt(
    "lead-a-name-inside",
    CHANNEL,
    "lets a catalogued name lead to an address inside the cluster",
    refusal="407",
    guard=RANGES,
)
async def lead_a_name_inside(way: Way) -> Outcome:
    async with way.gateway(private=LOOPBACK if way.off == RANGES else "") as gateway:
        return _tell(await ask(gateway, build_request(way.host, gateway.opened_by())))


@MATRIX.attempt(
    "leaked-gateway-password",
    CHANNEL,
    "stays and comes back with a leaked password of this period after it was withdrawn",
    refusal=UNKNOWN,
    guard=WITHDRAWAL,
)
async def leaked_gateway_password(way: Way) -> Outcome:
    async with way.gateway() as gateway:
        leaked = build_request(way.host, gateway.opened_by())
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(leaked.encode())
        await reader.readuntil(b" 200 ")
        if way.off != WITHDRAWAL:
            gateway.withdraw({"alice.alice": ISSUED})
            async with asyncio.timeout(30):
                await reader.read()  # until the tunnel ends
        writer.close()
        return _tell(await ask(gateway, leaked))


@MATRIX.attempt(
    "metadata-through-the-gateway",
    CHANNEL,
    "opens a tunnel to the cloud's metadata address",
    refusal=ELSEWHERE,
    guard=f"{CATALOGUE} + {RANGES}",
)
async def metadata_through_the_gateway(way: Way) -> Outcome:
    """Not every machine has such a service: that the gateway goes there is enough."""
    async with way.gateway(private=LINK_LOCAL if RANGES in way.off else LOOPBACK) as gateway:
        try:
            answer = await ask(gateway, build_request(METADATA, gateway.opened_by()))
        except TimeoutError:
            return Succeeded("the gateway waits for an answer from there")
    return Refused(answer) if " 407 " in answer.splitlines()[0] else Succeeded(answer)

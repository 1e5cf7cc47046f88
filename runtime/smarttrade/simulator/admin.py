"""The operator's side of the exchange: users, balances, the journal, faults, the market; probes and metrics.

On a listener of its own. Probes and metrics are open; everything under /admin/v1 needs the token as
`Authorization: Bearer ...`.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from smarttrade.errors import ConfigurationError
from smarttrade.matching.units import to_text
from smarttrade.simulator.config import UserConfig, check_user
from smarttrade.simulator.faults import FaultSpec
from smarttrade.simulator.metrics import build_registry
from smarttrade.simulator.users import User

if TYPE_CHECKING:
    from smarttrade.simulator.simulator import Simulator

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NewUser(UserConfig):
    """A user to be made. Without `key` one is made here, and without a public key a secret too."""

    key: str = ""


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """Replaces a user's key: by this public key, or by a secret made here."""

    public_key: str = ""


class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """Amounts by asset; negative ones withdraw."""

    amounts: dict[str, Decimal]


class ClockSkew(msgspec.Struct, forbid_unknown_fields=True):
    skew_ms: int


class SocketOrder(msgspec.Struct, forbid_unknown_fields=True):
    """`action`: drop, silence or speak; of one user's websockets, or all."""

    action: str
    user: str | None = None


class PriceOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Moves a market that is driven by hand."""

    symbol: str
    price: Decimal
    size: Decimal = Decimal(1000)


class Admin:
    """HTTP handlers over a running simulator."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator

    def build_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._live)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/admin/v1/journal", self._journal)
        app.router.add_get("/admin/v1/users", self._users)
        app.router.add_post("/admin/v1/users", self._add_user)
        app.router.add_delete("/admin/v1/users/{name}", self._remove_user)
        app.router.add_post("/admin/v1/users/{name}/key", self._replace_key)
        app.router.add_post("/admin/v1/users/{name}/deposits", self._deposit)
        app.router.add_get("/admin/v1/faults", self._faults)
        app.router.add_post("/admin/v1/faults", self._add_fault)
        app.router.add_delete("/admin/v1/faults", self._clear_faults)
        app.router.add_delete("/admin/v1/faults/{id}", self._remove_fault)
        app.router.add_post("/admin/v1/clock", self._skew)
        app.router.add_post("/admin/v1/websockets", self._sockets)
        app.router.add_post("/admin/v1/price", self._price)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/admin/"):
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.simulator.admin_token.encode()):
                return _error(401, "the admin token is missing or wrong; send it as Authorization: Bearer")
        try:
            return await handler(request)
        except (msgspec.DecodeError, ConfigurationError, ValueError) as error:
            return _error(400, str(error))

    async def _live(self, request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(text="ok\n")

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        del request
        content = generate_latest(build_registry(self.simulator))
        return web.Response(body=content, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _journal(self, request: web.Request) -> web.StreamResponse:
        wanted = {k: request.query.get(k) for k in ("user", "kind", "client_order_id", "symbol")}
        after = int(request.query.get("after", "0"))
        return _json(self.simulator.journal.entries(**wanted, after=after))

    async def _users(self, request: web.Request) -> web.StreamResponse:
        del request
        return _json([describe_user(user) for user in self.simulator.venue.users.values()])

    async def _add_user(self, request: web.Request) -> web.StreamResponse:
        config = with_key(msgspec.json.decode(await request.read(), type=NewUser, strict=False))
        check_user(config)
        return _json(describe_credentials(self.simulator.add_user(config)), 201)

    async def _remove_user(self, request: web.Request) -> web.StreamResponse:
        if self.simulator.venue.find_user(request.match_info["name"]) is None:
            return _error(404, f"no user {request.match_info['name']!r}")
        self.simulator.remove_user(request.match_info["name"])
        return _json({})

    async def _replace_key(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if self.simulator.venue.find_user(name) is None:
            return _error(404, f"no user {name!r}")
        wanted = msgspec.json.decode(await request.read() or b"{}", type=NewKey)
        config = with_key(NewUser(name=name, public_key=wanted.public_key))
        return _json(describe_credentials(self.simulator.replace_key(config)))

    async def _deposit(self, request: web.Request) -> web.StreamResponse:
        account = self.simulator.venue.engine.accounts.get(request.match_info["name"])
        if account is None:
            return _error(404, f"no user {request.match_info['name']!r}")
        deposit = msgspec.json.decode(await request.read(), type=Deposit, strict=False)
        for asset, amount in deposit.amounts.items():
            self.simulator.venue.deposit(account, asset, amount)
        return _json({"balances": describe_balances(account.free, account.locked)})

    async def _faults(self, request: web.Request) -> web.StreamResponse:
        del request
        return _json(self.simulator.faults.active())

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        spec = msgspec.json.decode(await request.read(), type=FaultSpec)
        return _json(self.simulator.faults.add(spec), 201)

    async def _clear_faults(self, request: web.Request) -> web.StreamResponse:
        del request
        self.simulator.faults.clear()
        return _json({})

    async def _remove_fault(self, request: web.Request) -> web.StreamResponse:
        removed = self.simulator.faults.remove(int(request.match_info["id"]))
        return (
            _json({}) if removed else _error(404, "no such fault; it may have struck as often as it should")
        )

    async def _skew(self, request: web.Request) -> web.StreamResponse:
        self.simulator.skew(msgspec.json.decode(await request.read(), type=ClockSkew).skew_ms)
        return _json({"skew_ms": self.simulator.clock.skew_ms})

    async def _sockets(self, request: web.Request) -> web.StreamResponse:
        wanted = msgspec.json.decode(await request.read(), type=SocketOrder)
        action = wanted.action
        if action not in ("drop", "silence", "speak"):
            raise ConfigurationError(f"action {action!r} is not one of drop, silence, speak")
        if action == "drop":
            return _json({"connections": self.simulator.drop_websockets(wanted.user)})
        count = self.simulator.silence_websockets(action == "silence", wanted.user)
        return _json({"connections": count})

    async def _price(self, request: web.Request) -> web.StreamResponse:
        order = msgspec.json.decode(await request.read(), type=PriceOrder, strict=False)
        if order.symbol not in self.simulator.venue.by_symbol:
            return _error(404, f"no market {order.symbol!r}")
        self.simulator.set_price(order.symbol, order.price, order.size)
        return _json({})


def with_key(user: NewUser) -> NewUser:
    """The user with a key, and a secret unless it has a public key."""
    key = user.key or secrets.token_hex(32)
    secret = user.secret or ("" if user.public_key else secrets.token_hex(32))
    return msgspec.structs.replace(user, key=key, secret=secret)


def describe_credentials(user: User) -> dict[str, Any]:
    """A new user or key, with the secret: shown this once."""
    return {**describe_user(user), "secret": user.config.secret}


def describe_user(user: User) -> dict[str, Any]:
    """A user without secrets."""
    account = user.account
    return {
        "name": user.name,
        "key": user.key,
        "signs_with": user.signs_with,
        "balances": describe_balances(account.free, account.locked),
        "open_orders": len(account.open_orders),
    }


def describe_balances(free: dict[str, int], locked: dict[str, int]) -> dict[str, dict[str, str]]:
    return {
        asset: {"free": to_text(free.get(asset, 0)), "locked": to_text(locked.get(asset, 0))}
        for asset in sorted(set(free) | set(locked))
    }


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(content), content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    return _json({"error": message}, status)

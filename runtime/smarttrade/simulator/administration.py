"""`smarttrade simulator users|faults|...`: a running simulator's admin API in a terminal.

The address and the token come from `--admin` and `--token`, or from SMARTTRADE_SIMULATOR_ADMIN and
SMARTTRADE_SIMULATOR_TOKEN. A secret is printed once, when it is made.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.simulator.admin_client import AdminClient
from smarttrade.simulator.faults import FaultKind
from smarttrade.simulator.keys import KeyKind, write_key_pair

users = typer.Typer(help="Users, their keys and balances.", no_args_is_help=True)
faults = typer.Typer(help="What goes wrong, for whom, how often.", no_args_is_help=True)

Admin = Annotated[
    str, typer.Option("--admin", envvar="SMARTTRADE_SIMULATOR_ADMIN", help="Address of the admin API.")
]
Token = Annotated[
    str, typer.Option("--token", envvar="SMARTTRADE_SIMULATOR_TOKEN", help="Token of the admin API.")
]
Name = Annotated[str, typer.Argument(help="The user.")]
Amounts = Annotated[list[str], typer.Option("--balance", help="ASSET=AMOUNT; may be given several times.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
KeyType = Annotated[KeyKind, typer.Option("--type", help="How the user signs.")]
PublicKey = Annotated[
    Path | None, typer.Option("--public-key", help="PEM file of the user's Ed25519 or RSA public key.")
]
PrivateKey = Annotated[
    Path | None,
    typer.Option("--private-key", help="File to write a new private key to (ed25519 and rsa)."),
]
DEFAULT_ADMIN = "http://127.0.0.1:8090"


def register(app: typer.Typer) -> None:
    """Add all commands to `smarttrade simulator`."""
    app.add_typer(users, name="users")
    app.add_typer(faults, name="faults")
    app.command("clock")(clock)
    app.command("websockets")(websockets)
    app.command("journal")(journal)


def _run(act: Callable[[], None]) -> None:
    try:
        act()
    except SmartTradeError as error:
        typer.echo(f"smarttrade simulator: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


def parse_amounts(pairs: list[str]) -> dict[str, str]:
    """["USDT=100"] -> {"USDT": "100"}; ConfigurationError where a pair is none."""
    amounts = {}
    for pair in pairs:
        asset, separator, amount = pair.partition("=")
        if not separator or not asset.isalnum():
            raise ConfigurationError(f"balance {pair!r} is not of the form ASSET=AMOUNT, as USDT=10000")
        amounts[asset.upper()] = amount
    return amounts


# --- users ------------------------------------------------------------------------------------------


@users.command("add")
def add_user(
    name: Name,
    balance: Amounts = [],  # noqa: B006 - typer reads it
    kind: KeyType = KeyKind.HMAC,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    maker_fee: Annotated[str, typer.Option(help="Fraction of what is traded.")] = "0.001",
    taker_fee: Annotated[str, typer.Option(help="Fraction of what is traded.")] = "0.001",
    fee_asset: Annotated[str, typer.Option(help="RECEIVED, BASE, QUOTE or an asset.")] = "RECEIVED",
    as_json: AsJson = False,
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Add a user; prints the key, and the secret where one is made."""

    def act() -> None:
        body = {
            "name": name,
            "balances": parse_amounts(balance),
            "public_key": _public_key(kind, public_key, private_key),
            "maker_fee": maker_fee,
            "taker_fee": taker_fee,
            "fee_asset": fee_asset,
        }
        _print_credentials(AdminClient(admin, token).ask("POST", "users", body), as_json)

    _run(act)


@users.command("list")
def list_users(as_json: AsJson = False, admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """List users with their balances."""

    def act() -> None:
        rows = AdminClient(admin, token).ask("GET", "users")
        if as_json:
            _print_json(rows)
            return
        table = Table("user", "key", "signs with", "balances", "open orders")
        for row in rows:
            table.add_row(
                row["name"],
                row["key"],
                row["signs_with"],
                "  ".join(_describe_balance(asset, held) for asset, held in row["balances"].items()),
                str(row["open_orders"]),
            )
        Console().print(table)

    _run(act)


@users.command("remove")
def remove_user(name: Name, admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """Cancel a user's orders and forget user, balances and history."""
    _run(lambda: _done(AdminClient(admin, token).ask("DELETE", f"users/{name}"), f"{name} removed"))


@users.command("rotate")
def rotate_key(
    name: Name,
    kind: KeyType = KeyKind.HMAC,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Replace a user's key; the old one and its connections end at once."""

    def act() -> None:
        body = {"public_key": _public_key(kind, public_key, private_key)}
        _print_credentials(AdminClient(admin, token).ask("POST", f"users/{name}/key", body), as_json)

    _run(act)


@users.command("deposit")
def deposit(
    name: Name,
    amounts: Annotated[list[str], typer.Argument(help="ASSET=AMOUNT; negative amounts withdraw.")],
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Add to a user's balances."""

    def act() -> None:
        body = {"amounts": parse_amounts(amounts)}
        answer = AdminClient(admin, token).ask("POST", f"users/{name}/deposits", body)
        for asset, held in answer["balances"].items():
            typer.echo(_describe_balance(asset, held))

    _run(act)


def _public_key(kind: KeyKind, given: Path | None, private_key: Path | None) -> str:
    if given is not None:
        try:
            return given.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot read {given}: {error.strerror}") from error
    if kind is KeyKind.HMAC:
        return ""
    if private_key is None:
        raise ConfigurationError(
            f"a key of type {kind} needs --public-key FILE, or --private-key FILE to write a new one to"
        )
    return write_key_pair(kind, private_key)


def _print_credentials(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(answer)
        return
    typer.echo(f"user    {answer['name']}")
    typer.echo(f"apiKey  {answer['key']}")
    if answer["secret"]:
        typer.echo(f"secret  {answer['secret']}  (not shown again)")


def _describe_balance(asset: str, held: dict[str, str]) -> str:
    locked = f" (+{held['locked']} locked)" if float(held["locked"]) else ""
    return f"{asset} {held['free']}{locked}"


# --- faults and the rest ----------------------------------------------------------------------------


@faults.command("add")
def add_fault(
    kind: Annotated[FaultKind, typer.Argument(help="What happens.")],
    user: Annotated[str, typer.Option(help="Pattern of users it strikes.")] = "*",
    endpoint: Annotated[str, typer.Option(help="Pattern, as 'POST /api/v3/order' or order.place.")] = "*",
    probability: Annotated[float, typer.Option(help="0 to 1.")] = 1.0,
    times: Annotated[int | None, typer.Option(help="How often at most.")] = None,
    delay_ms: Annotated[int, typer.Option(help="Milliseconds, where the kind waits.")] = 0,
    skew_ms: Annotated[int, typer.Option(help="Milliseconds, of clock-skew.")] = 0,
    status: Annotated[int, typer.Option(help="HTTP status, of server-error and rate-limit.")] = 503,
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Let something go wrong."""
    body = {
        "kind": kind.value,
        "user": user,
        "endpoint": endpoint,
        "probability": probability,
        "times": times,
        "delay_ms": delay_ms,
        "skew_ms": skew_ms,
        "status": status,
    }
    _run(lambda: typer.echo(f"fault {AdminClient(admin, token).ask('POST', 'faults', body)['id']}"))


@faults.command("list")
def list_faults(admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """List the faults in force."""
    _run(lambda: _print_json(AdminClient(admin, token).ask("GET", "faults")))


@faults.command("remove")
def remove_fault(
    number: Annotated[int, typer.Argument(help="The fault's number.")],
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """End one fault."""
    _run(lambda: _done(AdminClient(admin, token).ask("DELETE", f"faults/{number}"), "removed"))


@faults.command("clear")
def clear_faults(admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """End all faults."""
    _run(lambda: _done(AdminClient(admin, token).ask("DELETE", "faults"), "no faults any more"))


def clock(
    skew_ms: Annotated[int, typer.Argument(help="Milliseconds ahead (or, negative, behind).")],
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Set the exchange's clock ahead or behind."""
    body = {"skew_ms": skew_ms}
    _run(lambda: _done(AdminClient(admin, token).ask("POST", "clock", body), f"skewed by {skew_ms} ms"))


def websockets(
    action: Annotated[str, typer.Argument(help="drop, silence or speak.")],
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Break or silence open websockets."""

    def act() -> None:
        answer = AdminClient(admin, token).ask("POST", "websockets", {"action": action, "user": user})
        typer.echo(f"{answer['connections']} connections")

    _run(act)


def journal(
    user: Annotated[str | None, typer.Option(help="Only this user's entries.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind: NEW, TRADE, CANCELED ...")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this market, as BTC/USDT.")] = None,
    after: Annotated[int, typer.Option(help="Only entries after this sequence number.")] = 0,
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Print the ground truth, an entry a line: every accepted order, cancel and fill."""

    def act() -> None:
        rows = AdminClient(admin, token).ask(
            "GET", "journal", user=user, kind=kind, symbol=symbol, after=after
        )
        for row in rows:
            typer.echo(json.dumps(row))

    _run(act)


def _done(_: Any, text: str) -> None:
    typer.echo(text)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2))

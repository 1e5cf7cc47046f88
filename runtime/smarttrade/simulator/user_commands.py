"""`smarttrade simulator users`: users of a running simulator, their keys and balances.

A secret is printed once, when it is made.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from smarttrade.errors import ConfigurationError
from smarttrade.simulator.admin_client import AdminClient
from smarttrade.simulator.admin_options import DEFAULT_ADMIN, Admin, Token, done, print_json, run
from smarttrade.simulator.keys import KeyKind, write_key_pair

users = typer.Typer(help="Users, their keys and balances.", no_args_is_help=True)

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


def parse_amounts(pairs: list[str]) -> dict[str, str]:
    """["USDT=100"] -> {"USDT": "100"}; ConfigurationError where a pair is none."""
    amounts = {}
    for pair in pairs:
        asset, separator, amount = pair.partition("=")
        if not separator or not asset.isalnum():
            raise ConfigurationError(f"balance {pair!r} is not of the form ASSET=AMOUNT, as USDT=10000")
        amounts[asset.upper()] = amount
    return amounts


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

    run(act)


@users.command("list")
def list_users(as_json: AsJson = False, admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """List users with their balances."""

    def act() -> None:
        rows = AdminClient(admin, token).ask("GET", "users")
        if as_json:
            print_json(rows)
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

    run(act)


@users.command("remove")
def remove_user(name: Name, admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """Cancel a user's orders and forget user, balances and history."""
    run(lambda: done(AdminClient(admin, token).ask("DELETE", f"users/{name}"), f"{name} removed"))


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

    run(act)


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

    run(act)


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
        print_json(answer)
        return
    typer.echo(f"user    {answer['name']}")
    typer.echo(f"apiKey  {answer['key']}")
    if answer["secret"]:
        typer.echo(f"secret  {answer['secret']}  (not shown again)")


def _describe_balance(asset: str, held: dict[str, str]) -> str:
    locked = f" (+{held['locked']} locked)" if float(held["locked"]) else ""
    return f"{asset} {held['free']}{locked}"

"""`smarttrade simulator faults|clock|websockets|journal`: what goes wrong, and what really happened."""

import json
from typing import Annotated

import typer

from smarttrade.simulator.admin_client import AdminClient
from smarttrade.simulator.admin_options import DEFAULT_ADMIN, Admin, Token, done, print_json, run
from smarttrade.simulator.faults import FaultKind

faults = typer.Typer(help="What goes wrong, for whom, how often.", no_args_is_help=True)


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
    run(lambda: typer.echo(f"fault {AdminClient(admin, token).ask('POST', 'faults', body)['id']}"))


@faults.command("list")
def list_faults(admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """List the faults in force."""
    run(lambda: print_json(AdminClient(admin, token).ask("GET", "faults")))


@faults.command("remove")
def remove_fault(
    number: Annotated[int, typer.Argument(help="The fault's number.")],
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """End one fault."""
    run(lambda: done(AdminClient(admin, token).ask("DELETE", f"faults/{number}"), "removed"))


@faults.command("clear")
def clear_faults(admin: Admin = DEFAULT_ADMIN, token: Token = "") -> None:
    """End all faults."""
    run(lambda: done(AdminClient(admin, token).ask("DELETE", "faults"), "no faults any more"))


def clock(
    skew_ms: Annotated[int, typer.Argument(help="Milliseconds ahead (or, negative, behind).")],
    admin: Admin = DEFAULT_ADMIN,
    token: Token = "",
) -> None:
    """Set the exchange's clock ahead or behind."""
    body = {"skew_ms": skew_ms}
    run(lambda: done(AdminClient(admin, token).ask("POST", "clock", body), f"skewed by {skew_ms} ms"))


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

    run(act)


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

    run(act)

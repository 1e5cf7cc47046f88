"""`smarttrade account`: an account is taken away in order, or gets other NATS credentials at once."""

from __future__ import annotations

from typing import Annotated

import typer

from smarttrade.cli.errors import plainly
from smarttrade.cli.hand_commands import Context, Name, Namespace

account_app = typer.Typer(help="A TradingAccount as a whole.", no_args_is_help=True)


@account_app.command()
def delete(
    name: Name,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Sell what it holds first, and wait until nothing is left.")
    ] = False,
    keep_positions: Annotated[
        bool,
        typer.Option("--keep-positions", help="Delete a Live account although it has positions or orders."),
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each step.", min=1)] = 300,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Delete an account: first flat, where asked for, then by its deletion policy, then gone."""
    from smarttrade.cli.deleting import delete_account
    from smarttrade.cli.objects import Accounts
    from smarttrade.errors import ConfigurationError

    with plainly():
        if flatten and keep_positions:
            raise ConfigurationError("give --flatten or --keep-positions, not both")
        raise SystemExit(
            delete_account(
                Accounts(context),
                name,
                namespace,
                flatten=flatten,
                allow=keep_positions,
                patience_s=timeout,
                say=print,
            )
        )


@account_app.command()
def rotate(
    name: Name,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait until the old ones are refused.", min=1)
    ] = 300,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Replace an account's leaked NATS credentials: the pods move first, then the old ones are refused."""
    from smarttrade.cli.objects import Accounts
    from smarttrade.cli.rotating import rotate_credentials

    with plainly():
        raise SystemExit(
            rotate_credentials(Accounts(context), name, namespace, patience_s=timeout, say=print)
        )

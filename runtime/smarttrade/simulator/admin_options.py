"""What the commands that rule a running simulator share: its address, its token, errors as exit codes.

The address and the token come from `--admin` and `--token`, or from SMARTTRADE_SIMULATOR_ADMIN and
SMARTTRADE_SIMULATOR_TOKEN.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from smarttrade.errors import SmartTradeError

Admin = Annotated[
    str, typer.Option("--admin", envvar="SMARTTRADE_SIMULATOR_ADMIN", help="Address of the admin API.")
]
Token = Annotated[
    str, typer.Option("--token", envvar="SMARTTRADE_SIMULATOR_TOKEN", help="Token of the admin API.")
]
DEFAULT_ADMIN = "http://127.0.0.1:8090"


def run(act: Callable[[], None]) -> None:
    """Do it; an error becomes one line and its exit code."""
    try:
        act()
    except SmartTradeError as error:
        typer.echo(f"smarttrade simulator: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


def done(_: Any, text: str) -> None:
    typer.echo(text)


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2))

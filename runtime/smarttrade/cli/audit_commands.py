"""`smarttrade audit export` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smarttrade.cli.errors import plainly
from smarttrade.cli.hand_commands import Context, Name, Namespace

audit_app = typer.Typer(
    help="What an account decided, ordered, was denied and was told.", no_args_is_help=True
)


@audit_app.callback()
def _audit() -> None:
    """Keeps `export` a word of the command line."""


@audit_app.command()
def export(
    name: Name,
    out: Annotated[Path, typer.Option(help="A new file, .jsonl or .parquet.", show_default=False)],
    first: Annotated[int, typer.Option("--from", help="The first sequence to export.", min=1)] = 1,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Write the account's audit trail, as its log has it, to a file; needs the right to exec into pods."""
    from smarttrade.cli.auditing import check_target, read_pages, write_trail
    from smarttrade.cli.objects import Accounts
    from smarttrade.cli.pods import Pods

    with plainly():
        check_target(out)
        pods = Pods(Accounts(context), name, namespace)
        count = write_trail(read_pages(pods.read_trail, first), out)
        print(f"{count} records in {out}")

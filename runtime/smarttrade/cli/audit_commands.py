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
    deleted: Annotated[bool, typer.Option(help="Of the account of that name that was deleted last.")] = False,
    system: Annotated[
        str, typer.Option(help="With --deleted: the platform's namespace.")
    ] = "smarttrade-system",
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Write the account's audit trail to a file; needs the right to exec into its
    pods, or, of one that was deleted, into the platform's."""
    from smarttrade.cli.archived import Archive
    from smarttrade.cli.auditing import check_target, read_pages, write_trail
    from smarttrade.cli.objects import Accounts
    from smarttrade.cli.pods import Pods

    with plainly():
        check_target(out)
        accounts = Accounts(context)
        kept: Archive | Pods = Pods(accounts, name, namespace)
        if deleted:
            kept = Archive(context, system, namespace or accounts.namespace, name)
        count = write_trail(read_pages(kept.read_trail, first), out)
        print(f"{count} records in {out}")

"""`smarttrade strategy`: begin, check and backtest a strategy of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smarttrade.cli.errors import plainly

strategy_app = typer.Typer(help="A strategy of your own: begin, check, backtest.", no_args_is_help=True)


@strategy_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Lower-case words, such as mean-cross.", show_default=False)],
    directory: Annotated[Path, typer.Option(help="Where to make the folder.")] = Path(),
) -> None:
    """Make a folder with a strategy that runs and an account on paper that runs it."""
    from smarttrade.authoring.scaffold import create, next_steps

    with plainly():
        print(next_steps(create(name, directory)))


@strategy_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The strategy's Python file.", show_default=False)],
    class_name: Annotated[
        str, typer.Option("--class", help="The strategy, where the file has several classes.")
    ] = "",
    market: Annotated[list[str] | None, typer.Option(help="Markets of the dry run.")] = None,
) -> None:
    """Find what a strategy must not do, and run it twice on made-up candles; code 1 if there is something."""
    from smarttrade.authoring.check import check_file
    from smarttrade.authoring.types import can_check_types, check_types

    with plainly():
        found = check_file(file, tuple(market or ["BTC/USDT"]), class_name) + check_types(file)
    if not can_check_types():
        print("types are not checked: install mypy for that")
    for finding in found:
        print(f"{file}:{finding.line}: {finding.code}: {finding.message}")
    if found:
        raise SystemExit(1)
    print(f"{file}: nothing found")


@strategy_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def backtest(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder that `new` made.", show_default=False)],
) -> None:
    """`smarttrade backtest` of the folder's account with the folder's code; takes the same options."""
    from smarttrade.cli.main import app

    app(["backtest", str(folder / "account.yaml"), "--source", str(folder), *context.args])

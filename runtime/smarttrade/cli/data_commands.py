"""`smarttrade data` and its options; what the commands do is in `smarttrade.data.command`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smarttrade.cli.errors import EXIT_INTERRUPTED, plainly

data_app = typer.Typer(help="Candles of exchanges, on disk for backtests.", no_args_is_help=True)

Store = Annotated[Path, typer.Option("--data", help="The folder that holds the candles.")]
_FOLDER = Path("data")


@data_app.command()
def download(
    exchange: Annotated[str, typer.Argument(help="ccxt's name of it, such as binance.", show_default=False)],
    markets: Annotated[list[str], typer.Argument(help="Such as BTC/USDT ETH/USDT.", show_default=False)],
    begin: Annotated[
        str, typer.Option("--from", help="First moment, an ISO time in UTC.", show_default=False)
    ],
    end: Annotated[str | None, typer.Option("--to", help="Last moment (UTC).", show_default="now")] = None,
    timeframe: Annotated[str, typer.Option(help="Length of the candles.")] = "1m",
    data: Store = _FOLDER,
    environment: Annotated[
        str, typer.Option(help="Production, Testnet or one of the catalogue.")
    ] = "Production",
    catalogue: Annotated[
        Path | None, typer.Option(help="YAML file of exchanges: name, environment, addresses.")
    ] = None,
) -> None:
    """Download candles through ccxt. Run it again to go on after a stop, or for what is new."""
    from smarttrade.backtest.command import read_moment
    from smarttrade.data.command import Request, check_timeframe, run_download

    with plainly():
        request = Request(
            exchange=exchange,
            environment=environment,
            markets=list(dict.fromkeys(markets)),
            timeframe=check_timeframe(timeframe),
            begin_ms=read_moment(begin, "--from") or 0,
            end_ms=read_moment(end, "--to"),
            root=data,
            catalogue=catalogue,
        )
        try:
            run_download(request)
        except KeyboardInterrupt:
            print("stopped; what came is kept: run it again to go on")
            raise SystemExit(EXIT_INTERRUPTED) from None


@data_app.command("list")
def show(data: Store = _FOLDER) -> None:
    """Show what is there: series, span, gaps, size."""
    from smarttrade.data.command import print_list

    with plainly():
        print_list(data)


@data_app.command()
def check(data: Store = _FOLDER) -> None:
    """Look at every candle and list gaps; ends with 1 if something is missing or wrong."""
    from smarttrade.data.command import print_check

    with plainly():
        if not print_check(data):
            raise SystemExit(1)

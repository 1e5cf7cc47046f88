"""`smarttrade simulator`: options to a configuration, then the exchange until it is told to stop."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop

from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.simulator.config import SimulatorConfig, load_config
from smarttrade.simulator.simulator import Simulator
from smarttrade.simulator.trouble_commands import clock, faults, journal, websockets
from smarttrade.simulator.user_commands import users

app = typer.Typer(help="A simulated exchange that speaks Binance Spot's REST and websocket protocol.")
app.add_typer(users, name="users")
app.add_typer(faults, name="faults")
for ruling in (clock, websockets, journal):
    app.command(ruling.__name__)(ruling)


@app.callback(invoke_without_command=True)
def simulator(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="YAML with users, markets and all of these.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port for REST and websockets; 0 takes a free one.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Recorded candles or trades, CSV or Parquet.")] = None,
    volume: Annotated[str | None, typer.Option(help="Asset in which candles count: base or quote.")] = None,
    compress: Annotated[
        float | None, typer.Option(help="Market seconds a second; 60: a minute a second.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the synthetic market and of faults.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Markets, as BTC/USDT,ETH/USDT.")] = None,
    state: Annotated[str | None, typer.Option(help="Directory that keeps balances and orders.")] = None,
    journal: Annotated[
        str | None, typer.Option(help="File to append every order, cancel and fill to.")
    ] = None,
    admin_port: Annotated[int | None, typer.Option(help="Port of probes, metrics and the admin API.")] = None,
    admin_host: Annotated[str | None, typer.Option(help="Address of the admin API (127.0.0.1).")] = None,
    admin_token: Annotated[
        str | None, typer.Option(help="Token of the admin API; one is made otherwise.")
    ] = None,
    weight_limit: Annotated[
        int | None, typer.Option(help="Request weight a minute and address; 0: none.")
    ] = None,
    listed: Annotated[
        int | None, typer.Option(help="Symbols in exchangeInfo at least; the rest are quiet markets.")
    ] = None,
    history: Annotated[float | None, typer.Option(help="Market seconds of candles before the start.")] = None,
) -> None:
    """Run the exchange; prints its addresses as one JSON line, then its end on SIGTERM or SIGINT."""
    if context.invoked_subcommand is not None:
        return
    given = {
        "host": host,
        "port": port,
        "data": data,
        "volume": volume,
        "compress": compress,
        "seed": seed,
        "symbols": symbols.split(",") if symbols else None,
        "state": state,
        "journal": journal,
        "admin_host": admin_host,
        "admin_port": admin_port,
        "admin_token": admin_token,
        "weight_limit": weight_limit,
        "listed": listed,
        "history_s": history,
    }
    try:
        base = load_config(config) if config else SimulatorConfig()
        for name, value in given.items():
            if value is not None:
                setattr(base, name, value)
        run_loop(serve(base))
    except ConfigurationError as error:
        print(f"smarttrade simulator: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    except SmartTradeError as error:
        print(f"smarttrade simulator: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def serve(config: SimulatorConfig) -> None:
    """Until SIGTERM or SIGINT, or until the market's own task fails."""
    exchange = Simulator(config)
    try:
        await exchange.start()
    except OSError as error:
        await exchange.stop()
        raise ConfigurationError(f"cannot listen: {error}; choose another host or port") from error
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(describe(exchange), flush=True)
    ended = [asyncio.create_task(stopped.wait()), asyncio.create_task(exchange.failed())]
    try:
        done, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in ended:
            task.cancel()
        await exchange.stop()


def describe(exchange: Simulator) -> str:
    """One JSON line: rest, ws, admin and, where it was made here, the admin token."""
    line = {"rest": exchange.rest_url, "ws": exchange.ws_url, "admin": exchange.admin_url}
    if not exchange.config.admin_token:
        line["admin_token"] = exchange.admin_token
    return msgspec.json.encode(line).decode()

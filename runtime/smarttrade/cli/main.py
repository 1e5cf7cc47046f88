"""The commands and their options."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from smarttrade.cli import hand_commands
from smarttrade.cli.account_commands import account_app
from smarttrade.cli.audit_commands import audit_app
from smarttrade.cli.data_commands import data_app
from smarttrade.cli.errors import plainly
from smarttrade.cli.hand_commands import Context, Name, Namespace
from smarttrade.cli.strategy_commands import strategy_app
from smarttrade.cli.sweep_command import sweep
from smarttrade.cli.tenant_commands import tenant_app

app = typer.Typer(
    name="smarttrade",
    help="Isolated, replicated trading accounts: run one here, check a manifest, operate one on a cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Manifest = Annotated[Path, typer.Argument(help="A manifest with one TradingAccount.", show_default=False)]


@app.command()
def run(
    file: Manifest,
    data: Annotated[
        Path | None,
        typer.Option(help="Candles or trades (CSV, Parquet) that the simulated exchange replays."),
    ] = None,
    compress: Annotated[
        float | None, typer.Option(help="Market seconds a second, for the simulated exchange.", min=0.001)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 0,
    credentials: Annotated[
        Path | None, typer.Option(help="Directory with apiKey and secret (and password) for a real exchange.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="YAML file of exchanges: name, environment, addresses.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="Directory with the Python files of strategy.source.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Directory that keeps log and keys for the next run.", show_default="see docs"),
    ] = None,
    until_fills: Annotated[
        int | None, typer.Option(help="Stop with code 0 after this many fills.", min=1)
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(help="Stop after this many seconds, with code 4 if fills are still missing.", min=1),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a live screen.")] = False,
) -> None:
    """Run an account here, without Kubernetes; Ctrl-C stops all. Editing FILE is like kubectl apply."""
    from smarttrade.cli.local.options import Options
    from smarttrade.cli.local.session import run_account

    options = Options(
        file=file,
        data=data,
        compress=compress,
        seed=seed,
        credentials=credentials,
        catalogue=catalogue,
        source=source,
        state=state,
        until_fills=until_fills,
        timeout_s=timeout,
        plain=plain or not sys.stdout.isatty(),
    )
    with plainly():
        raise SystemExit(asyncio.run(run_account(options)))


@app.command()
def backtest(
    file: Manifest,
    data: Annotated[
        Path,
        typer.Option(help="Candles: a CSV or Parquet file, or a directory with one (BTC-USDT.csv) a market."),
    ],
    begin: Annotated[
        str | None,
        typer.Option("--from", help="First moment to trade on (UTC).", show_default="after warm-up"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last moment (UTC).", show_default="the end")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help="Candles to decide on.", show_default="the manifest's")
    ] = None,
    fees: Annotated[str, typer.Option(help="Fraction of the notional, or MAKER,TAKER.")] = "0.001",
    spread: Annotated[str, typer.Option(help="Between bid and ask, as a fraction of the price.")] = "0.0002",
    fills: Annotated[
        str, typer.Option(help="Fill model: smarttrade, or freqtrade for strategies written for it.")
    ] = "smarttrade",
    slippage: Annotated[
        str, typer.Option(help="Of marketable orders, as a fraction of the price.")
    ] = "0.0005",
    latency: Annotated[int, typer.Option(help="Milliseconds from decision to exchange.", min=0)] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the latency's variation.")] = 0,
    volume: Annotated[
        str, typer.Option(help="Asset in which the data counts volume: base or quote.")
    ] = "base",
    source: Annotated[
        Path | None, typer.Option(help="Directory with the Python files of strategy.source.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the result here, with trades and equity.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write one self-contained HTML page here.")] = None,
) -> None:
    """Run an account on recorded candles: the same decisions, risk and order life as paper and live."""
    from smarttrade.backtest.command import Options, run_backtest

    options = Options(
        file=file,
        data=data,
        begin=begin,
        end=end,
        timeframe=timeframe,
        fees=fees,
        spread=spread,
        slippage=slippage,
        fills=fills,
        latency_ms=latency,
        seed=seed,
        volume=volume,
        source=source,
        json_file=json,
        report_file=report,
    )
    with plainly():
        run_backtest(options)


@app.command()
def validate(file: Manifest) -> None:
    """Check a manifest and say everything that is wrong with it."""
    from smarttrade.cli.validation import describe_account

    with plainly():
        print(describe_account(file))


@app.command()
def crds() -> None:
    """Print the CustomResourceDefinitions, for kubectl apply -f -."""
    from smarttrade.api.crds import backtest, document

    print(document.render(), "---\n", backtest.render(), sep="", end="")


@app.command()
def status(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Show an account of the cluster: state, leader, figures, conditions."""
    from smarttrade.cli.objects import Accounts
    from smarttrade.cli.summary import print_status

    with plainly():
        print_status(Accounts(context).read(name, namespace))


def _set_state(state: str, name: str, namespace: str | None, context: str | None) -> None:
    from smarttrade.cli.objects import Accounts

    with plainly():
        print(Accounts(context).set_state(name, namespace, state))


@app.command()
def halt(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Cancel everything and trade no more (state Halted); goes into the pods where the object does not do."""
    from smarttrade.cli.halting import halt_account
    from smarttrade.cli.objects import Accounts

    with plainly():
        raise SystemExit(halt_account(Accounts(context), name, namespace, print))


@app.command()
def pause(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Cancel entries and decide no more; protection stays (state Paused)."""
    _set_state("Paused", name, namespace, context)


@app.command()
def resume(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Trade again (state Active). A breach of a limit has to be acknowledged in the object as well."""
    _set_state("Active", name, namespace, context)


@app.command()
def flatten(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Sell the account's positions within the price collar and stay flat (state Flatten)."""
    _set_state("Flatten", name, namespace, context)


@app.command()
def version() -> None:
    """Print the version."""
    from smarttrade._version import __version__

    print(__version__)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def simulator(context: typer.Context) -> None:
    """A simulated exchange that speaks Binance Spot's protocol; see `smarttrade simulator --help`."""
    from smarttrade.simulator.command import app as simulator_app

    simulator_app(context.args, prog_name="smarttrade simulator")


hand_commands.register(app)
app.add_typer(data_app, name="data")
app.add_typer(strategy_app, name="strategy")
app.add_typer(account_app, name="account")
app.add_typer(audit_app, name="audit")
app.add_typer(tenant_app, name="tenant")
app.command()(sweep)


def main() -> None:
    """Entry point of `smarttrade` and of `kubectl smarttrade`."""
    app()


if __name__ == "__main__":
    main()

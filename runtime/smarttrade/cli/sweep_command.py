"""`smarttrade sweep` and its options; what it does is in `smarttrade.sweep.command`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smarttrade.cli.errors import EXIT_INTERRUPTED, plainly


def sweep(
    file: Annotated[Path, typer.Argument(help="A manifest with one TradingAccount.", show_default=False)],
    data: Annotated[Path, typer.Option(help="Candles: a file, a folder of files, or downloaded ones.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="What to try: fast=5:50, fast=5:50:5, kind=ema,sma, or fast for its declared range. May be "
            "repeated.",
            show_default="all that the strategy declares",
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(help="Values that a range without a step is divided into.", min=1)
    ] = 5,
    trials: Annotated[
        int | None,
        typer.Option(help="Let Optuna search this many candidates instead of all combinations.", min=1),
    ] = None,
    objective: Annotated[
        str, typer.Option(help="sharpe, sortino, calmar, cagr, return, profit_factor or expectancy.")
    ] = "sharpe",
    folds: Annotated[int, typer.Option(help="Walk-forward folds.", min=1)] = 3,
    train: Annotated[str, typer.Option(help="In-sample share of a fold.")] = "0.75",
    workers: Annotated[int | None, typer.Option(help="Processes.", min=1, show_default="one a core")] = None,
    seed: Annotated[int, typer.Option(help="Of the search and of the latency's variation.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Keeps the results; run it again with the same file to go on.")
    ] = Path("sweep.sqlite"),
    report: Annotated[Path | None, typer.Option(help="Write one self-contained HTML page here.")] = None,
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
    slippage: Annotated[
        str, typer.Option(help="Of marketable orders, as a fraction of the price.")
    ] = "0.0005",
    latency: Annotated[int, typer.Option(help="Milliseconds from decision to exchange.", min=0)] = 50,
    volume: Annotated[
        str, typer.Option(help="Asset in which the data counts volume: base or quote.")
    ] = "base",
    source: Annotated[
        Path | None, typer.Option(help="Directory with the Python files of strategy.source.")
    ] = None,
) -> None:
    """Try many parameters on all cores, choose in sample, judge out of sample, and warn where they part."""
    from smarttrade.backtest.command import Options as BacktestOptions
    from smarttrade.sweep.command import Options, run_sweep

    single = BacktestOptions(
        file=file,
        data=data,
        begin=begin,
        end=end,
        timeframe=timeframe,
        fees=fees,
        spread=spread,
        slippage=slippage,
        latency_ms=latency,
        seed=seed,
        volume=volume,
        source=source,
    )
    options = Options(
        backtest=single,
        parameters=parameter or (),
        steps=steps,
        trials=trials,
        objective=objective,
        folds=folds,
        train=train,
        workers=workers,
        seed=seed,
        out=out,
        page=report,
    )
    with plainly():
        try:
            run_sweep(options)
        except KeyboardInterrupt:
            print(f"stopped; {out} has what is done: run it again to go on")
            raise SystemExit(EXIT_INTERRUPTED) from None

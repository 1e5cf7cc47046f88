"""`smarttrade backtest`: manifest and data in; table, JSON and an HTML report out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from smarttrade.api import TradingAccount, load_account
from smarttrade.api.load import parse_account
from smarttrade.backtest.freqtrade import FILL_MODEL, run_as_freqtrade
from smarttrade.backtest.history import History, load_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.report import build_page
from smarttrade.backtest.result import Recorded, build_document, build_equity
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.table import print_result
from smarttrade.data import history as downloaded
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import SOURCE_DIRECTORY

OWN_FILLS = "smarttrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; texts are not checked yet."""

    file: Path
    data: Path
    begin: str | None = None
    end: str | None = None
    timeframe: str | None = None
    fees: str = "0.001"
    spread: str = "0.0002"
    slippage: str = "0.0005"
    latency_ms: int = 50
    seed: int = 0
    volume: str = "base"
    fills: str = OWN_FILLS
    source: Path | None = None
    json_file: Path | None = None
    report_file: Path | None = None


def run_backtest(options: Options) -> None:
    """Run and print; ConfigurationError says what to change."""
    account = with_timeframe(load_account(options.file), options.timeframe)
    assumptions = build_assumptions(options)
    history = read_history(options.data, account, options.volume)
    recorded = _run(options, account, history, assumptions)
    document = build_document(recorded, assumptions)
    print_result(document)
    if options.json_file is not None:
        everything = document | {"equity": build_equity(recorded)}
        write_text(options.json_file, json.dumps(everything, indent=1) + "\n")
    if options.report_file is not None:
        write_text(options.report_file, build_page(recorded, history, document))


def _run(options: Options, account: TradingAccount, history: History, assumptions: Assumptions) -> Recorded:
    from_ms, to_ms = read_moment(options.begin, "--from"), read_moment(options.end, "--to")
    source = options.source or SOURCE_DIRECTORY
    if options.fills == FILL_MODEL:
        return run_as_freqtrade(account, history, assumptions, from_ms=from_ms, to_ms=to_ms, source=source)
    if options.fills != OWN_FILLS:
        raise ConfigurationError(f"--fills {options.fills!r} is unknown: write {OWN_FILLS} or {FILL_MODEL}")
    return Backtest(account, history, assumptions, from_ms=from_ms, to_ms=to_ms, source=source).run()


def read_history(path: Path, account: TradingAccount, volume: str = "base") -> History:
    """Candles of the account's markets from a file, a folder of files or a store of downloaded ones."""
    markets = [market.symbol for market in account.spec.markets]
    if downloaded.is_store(path):
        return downloaded.load_history(path, account.spec.exchange, markets)
    return load_history(path, markets, volume)


def build_assumptions(options: Options) -> Assumptions:
    """`fees` is one fraction, or maker,taker."""
    maker, _, taker = options.fees.partition(",")
    return Assumptions(
        maker_fee=_fraction(maker, "--fees"),
        taker_fee=_fraction(taker or maker, "--fees"),
        spread=_fraction(options.spread, "--spread"),
        slippage=_fraction(options.slippage, "--slippage"),
        latency_ms=options.latency_ms,
        seed=options.seed,
    )


def with_timeframe(account: TradingAccount, timeframe: str | None) -> TradingAccount:
    """The account, deciding on candles of another timeframe."""
    if timeframe is None:
        return account
    manifest = account.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    manifest["spec"]["strategy"]["timeframe"] = timeframe
    return parse_account(manifest, "--timeframe")


def read_moment(text: str | None, name: str) -> int | None:
    """Milliseconds of an ISO date or time; UTC where it says nothing else."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{name} {text!r} is no date: write it like 2022-01-31T12:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _fraction(text: str, name: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise ConfigurationError(f"{name} {text!r} is no number: write a fraction, 0.001 is 0.1 %") from None


def write_text(path: Path, text: str) -> None:
    """ConfigurationError if the file cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from error

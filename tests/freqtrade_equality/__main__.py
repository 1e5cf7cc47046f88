"""Are the trades of freqtrade strategies those of freqtrade? Prints a table and the counts.

    FREQTRADE_STRATEGIES=FOLDER FREQTRADE_PYTHON=VENV/bin/python CANDLES=FILE.csv \\
        python -m tests.freqtrade_equality WORK [NAME...]

FOLDER holds strategies (`**/*.py`), VENV has freqtrade installed, FILE has one-minute candles of BTC/USDT
(columns timestamp, open, high, low, close, volume). WORK keeps candles and freqtrade's trades for the next
run; a NAME chooses strategies that contain it. Ends with 1 if a strategy's trades differ.
"""

from __future__ import annotations

import ast
import logging
import os
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import structlog

from smarttrade.evaluation.loading import load_module
from smarttrade.freqtrade.loading import find_unheeded, make_strategy
from smarttrade.freqtrade.provider import RunMode
from smarttrade.freqtrade.replay import Capital, replay
from tests.freqtrade_equality.asking import FEE, ask_freqtrade, build_job
from tests.freqtrade_equality.candles import prepare

PAIRS = ["BTC/USDT", "ETH/USDT"]
STAKE, WALLET, SLOTS = 1_000, 100_000, 2
_BOTH = ["recorded", "short"]
_SETS = {"1m": ["recorded"], "5m": _BOTH, "15m": _BOTH, "30m": _BOTH, "1h": ["recorded", "year"]}
_DECLARED = re.compile(r"^    (?:timeframe|ticker_interval)(?:\s*:.*?)?\s*=\s*['\"](\w+)", re.MULTILINE)
_PROTECTED = re.compile(r"^    (?:protections\b|def protections\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Job:
    """One strategy on one set of candles, with or without its own protections."""

    name: str
    file: Path
    timeframe: str
    candles: str
    protected: bool

    @property
    def key(self) -> str:
        return f"{self.name}/{self.candles}" + ("/protected" if self.protected else "")

    @property
    def pairs(self) -> list[str]:
        return PAIRS[:1] if self.candles == "recorded" else PAIRS


def find_jobs(folder: Path, names: list[str]) -> list[Job]:
    jobs = []
    for file in sorted(folder.rglob("*.py")):
        source = file.read_text()
        declared = _DECLARED.search(source)
        timeframe = declared[1] if declared else "5m"
        sets = _SETS.get(timeframe, ["long"])
        ways = [False, True] if _PROTECTED.search(source) else [False]
        for node in ast.parse(source).body:
            bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            if "IStrategy" in bases and (not names or any(each in node.name for each in names)):
                told = "" if declared else timeframe
                jobs += [Job(node.name, file, told, candles, way) for candles in sets for way in ways]
    return jobs


def run_here(job: Job, candles: dict[tuple[str, str], pd.DataFrame]) -> tuple[list[list[Any]], list[str]]:
    inner = getattr(load_module(job.file.parent, job.file.stem), job.name)
    config = {"stake_currency": "USDT", "stake_amount": STAKE, "timeframe": job.timeframe}
    strategy = make_strategy(inner, tuple(job.pairs), config, RunMode.BACKTEST)
    capital = Capital(stake=STAKE, wallet=WALLET, slots=SLOTS, fee=FEE, protected=job.protected)
    trades = replay(strategy, candles, job.pairs, capital)
    told = [
        [
            t.pair,
            t.open_ms,
            t.open_rate,
            t.close_ms,
            t.close_rate,
            str(t.exit_reason),
            t.enter_tag or "",
            t.amount,
        ]
        for t in trades
    ]
    return told, find_unheeded(inner)


def read_candles(folder: Path) -> dict[tuple[str, str], pd.DataFrame]:
    found = {}
    for file in folder.glob("*.csv"):
        base, quote, timeframe = file.stem.split("-")
        frame = pd.read_csv(file)
        frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
        found[f"{base}/{quote}", timeframe] = frame
    return found


def judge(job: Job, told: dict[str, Any], candles: dict[tuple[str, str], pd.DataFrame]) -> tuple[str, str]:
    """A word for the count, and the explanation."""
    try:
        ours, unheeded = run_here(job, candles)
    except Exception as error:  # noqa: BLE001 - a failure is a result
        if "there are no candles of" in str(error):
            return "no candles", str(error)
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:150]
        both = " (freqtrade: " + told["error"][:110] + ")" if "error" in told else ""
        return "fails" if not both else "fails in both", reason + both
    if "error" in told:
        return "no reference", f"{len(ours)} trades; freqtrade: {told['error'][:150]}"
    theirs = told["trades"]
    theirs, ours = (sorted(each, key=lambda trade: (trade[1], trade[0])) for each in (theirs, ours))
    if theirs == ours:
        return "same", "; ".join(unheeded)
    at = next((n for n, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]), len(ours))
    first = [each[at] if at < len(each) else None for each in (theirs, ours)]
    return "differs", f"from {at} of {len(theirs)}: {first[0]} {first[1]}; {'; '.join(unheeded)}"


def main(work: Path, names: list[str]) -> int:
    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    jobs = find_jobs(Path(os.environ["FREQTRADE_STRATEGIES"]), names)
    if not (work / "candles").exists():
        prepare(Path(os.environ["CANDLES"]), work / "candles")
    described = [
        build_job(
            job.name,
            job.file,
            work / "candles" / job.candles,
            job.pairs,
            key=job.key,
            timeframe=job.timeframe,
            stake=STAKE,
            wallet=WALLET,
            slots=SLOTS,
            protections=job.protected,
        )
        for job in jobs
    ]
    told = ask_freqtrade(described, work)
    sets = {name: read_candles(work / "candles" / name) for name in {job.candles for job in jobs}}
    verdicts: dict[str, list[str]] = {}
    trades: dict[str, int] = {}
    for job in jobs:
        word, why = judge(job, told[job.key], sets[job.candles])
        verdicts.setdefault(job.name, []).append(word)
        count = len(told[job.key].get("trades", ()))
        trades[job.name] = trades.get(job.name, 0) + count
        print(f"{job.key:42} {count:6} {word:13} {why}", flush=True)
    judged = {name: set(words) - {"no candles"} for name, words in verdicts.items()}
    same = [name for name, words in judged.items() if words == {"same"}]
    runs = [name for name, words in judged.items() if words and not words & {"fails", "fails in both"}]
    print(
        f"\n{len(verdicts)} strategies: {len(runs)} load and run, {len(same)} trade as in freqtrade "
        f"({sum(trades[name] > 0 for name in same)} of them with trades, "
        f"{sum(trades[name] for name in same)} in all)"
    )
    return int(any("differs" in words for words in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

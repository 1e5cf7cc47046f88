"""Asks an installed freqtrade, in the environment that `FREQTRADE_PYTHON` names, what it trades."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

MARKETS = ["BTC/USDT", "ETH/USDT", "ETH/BTC"]
FEE = 0.001


def build_job(
    strategy: str, file: Path, candles: Path, pairs: list[str], *, key: str = "", **more: Any
) -> dict[str, Any]:
    """`more`: stake, wallet and slots; timeframe where the class has none; whether its protections hold."""
    return {
        "key": key or strategy,
        "strategy": strategy,
        "path": str(file.parent),
        "candles": str(candles),
        "pairs": pairs,
        "markets": MARKETS,
        "fee": FEE,
        **more,
    }


def ask_freqtrade(jobs: list[dict[str, Any]], work: Path) -> dict[str, dict[str, Any]]:
    """What freqtrade says of every job, from an earlier run where there is one."""
    kept = work / "freqtrade.jsonl"
    known = _read(kept) if kept.exists() else {}
    missing = [job for job in jobs if job["key"] not in known]
    if missing:
        asked, answers = work / "jobs.json", work / "new.jsonl"
        asked.write_text(json.dumps(missing))
        peer = Path(__file__).with_name("freqtrade_peer.py")
        command = [os.environ["FREQTRADE_PYTHON"], str(peer), str(asked), str(answers)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with kept.open("a") as out:
            out.write(answers.read_text())
        known |= _read(answers)
    return known


def _read(file: Path) -> dict[str, dict[str, Any]]:
    return {told["key"]: told for told in map(json.loads, file.open())}

"""Writes what freqtrade trades of the unit tests' own strategies, for tests that need nothing of freqtrade.

    FREQTRADE_PYTHON=VENV/bin/python python -m tests.freqtrade_equality.store

VENV has freqtrade installed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.freqtrade_equality.asking import ask_freqtrade, build_job
from tests.unit.freqtrade.made_up import PAIRS, candles
from tests.unit.freqtrade.test_replay import FILES, HERE, STAKE, STORED, WALLET, slots_of


def write_candles(folder: Path) -> None:
    for (pair, timeframe), frame in candles().items():
        written = frame.assign(date=frame["date"].dt.as_unit("ms").astype("int64"))
        written.to_csv(folder / f"{pair.replace('/', '-')}-{timeframe}.csv", index=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        made = Path(work, "candles")
        made.mkdir()
        write_candles(made)
        jobs = [
            build_job(
                name,
                HERE / "strategies" / f"{module}.py",
                made,
                list(PAIRS),
                stake=STAKE,
                wallet=WALLET,
                slots=slots_of(name),
                protections=True,
            )
            for name, module in FILES.items()
        ]
        told = ask_freqtrade(jobs, Path(work))
    trades = {name: sorted(told[name]["trades"], key=lambda trade: (trade[1], trade[0])) for name in FILES}
    each = (
        f' "{name}": [\n' + ",\n".join(f"  {json.dumps(trade)}" for trade in made) + "\n ]"
        for name, made in trades.items()
    )
    STORED.write_text("{\n" + ",\n".join(each) + "\n}\n")


if __name__ == "__main__":
    main()

"""`python -m smarttrade.sweep shard ROUND|collect NAME` in a Backtest's pods; the operator says where all is.

Exit codes: 0 done, 2 the object, its account, its strategy or the data cannot be used (a backtest follows
from these alone, so repeating does not help), 143 told to end, 1 else. What bites: who is told to end may be
run again elsewhere, with the parts that are there, unless the object's time is over; then nobody comes to
remove them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.sweep.cluster import MESSAGE_LIMIT, Folders, forget_run, run_collector, run_shard

_FOLDERS = Folders(
    settings=Path(os.environ.get("SMARTTRADE_BACKTEST_SETTINGS", "/etc/smarttrade/backtest")),
    data=Path(os.environ.get("SMARTTRADE_BACKTEST_DATA", "/data")),
    source=Path(os.environ.get("SMARTTRADE_STRATEGY_SOURCE", "/etc/smarttrade/strategy")),
    results=Path(os.environ.get("SMARTTRADE_BACKTEST_RESULTS", "/results")),
    message=Path(os.environ.get("SMARTTRADE_BACKTEST_MESSAGE", "/dev/termination-log")),
    run=os.environ.get("SMARTTRADE_BACKTEST_RUN", ""),
)
_ENDS_S = float(os.environ.get("SMARTTRADE_BACKTEST_ENDS", "inf"))
_CLOCKS_APART_S = 10
_TERMINATED = 128 + signal.SIGTERM


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        _run(arguments)
    except SystemExit:
        if time.time() >= _ENDS_S - _CLOCKS_APART_S:
            forget_run(_FOLDERS)
        return _TERMINATED
    except SmartTradeError as error:
        _FOLDERS.message.write_text(str(error)[-MESSAGE_LIMIT:])
        forget_run(_FOLDERS)
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(arguments: list[str]) -> None:
    match arguments:
        case ["shard", number]:
            print(run_shard(_FOLDERS, int(number), int(os.environ["JOB_COMPLETION_INDEX"])).name)
        case ["collect", name]:
            print(run_collector(_FOLDERS, name))
        case _:
            raise ConfigurationError("say shard ROUND, or collect NAME")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m smarttrade.sweep shard ROUND|collect NAME` in a Backtest's pods; the operator says where all is.

Exit codes: 0 done, 2 the object, its account, its strategy or the data cannot be used (a backtest follows
from these alone, so repeating does not help), 1 else.
"""

from __future__ import annotations

import os
import sys
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


def main(arguments: list[str]) -> int:
    try:
        _run(arguments)
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

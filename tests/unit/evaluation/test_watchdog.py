"""A strategy that does not come back is noticed, named and ended."""

import subprocess
import sys
import threading

from smarttrade.evaluation.core import StrategyFailedError
from smarttrade.evaluation.watchdog import Watchdog


def test_a_handler_that_does_not_return_is_told_with_the_place_where_it_is() -> None:
    told = threading.Event()
    places: list[str] = []

    def stuck(where: str) -> None:
        places.append(where)
        told.set()

    def endless() -> None:
        while not told.is_set():
            pass

    watchdog = Watchdog(stuck, limit_s=0.05)
    watchdog.start()
    with watchdog:
        endless()
    assert "in endless" in places[0]
    assert len(places) == 1


def test_handlers_that_return_are_left_alone() -> None:
    places: list[str] = []
    watchdog = Watchdog(places.append, limit_s=0.05)
    watchdog.start()
    pause = threading.Event()
    for _ in range(20):
        with watchdog:
            pass
        pause.wait(0.01)
    watchdog.stop()
    assert places == []


def test_the_process_ends_with_the_strategys_own_code_and_says_where() -> None:
    code = (
        "from smarttrade.evaluation.watchdog import Watchdog, end_process\n"
        "def on_candle():\n"
        "    while True: pass\n"
        "watchdog = Watchdog(end_process, limit_s=0.05)\n"
        "watchdog.start()\n"
        "with watchdog:\n"
        "    on_candle()\n"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == StrategyFailedError.exit_code == 4
    assert "the strategy has not returned from its handler" in ended.stdout
    assert "in on_candle" in ended.stdout

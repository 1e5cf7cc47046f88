"""Another version of a strategy takes over in two running pods: real processes, one event, none lost."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

from smarttrade.messages import Decision
from smarttrade.source import pack
from tests.component.lockstep.running import MARKET, POD, SECOND_MS, Running, build_account, run_account
from tests.component.lockstep.test_memory import trading
from tests.component.monitoring.pod import Bus

PRICE = Decimal(60_000)
STANDBY = "alice-1"
OWN = {"source": {"configMapRef": {"name": "sized-1"}, "class": "mine.InAndOut"}, "timeframe": "1s"}
TEXT = """
from decimal import Decimal

from smarttrade import Strategy
from word import WORD


class InAndOut(Strategy):
    def start(self):
        self.wanted, self.seen = Decimal(0), 0

    def on_candle(self, candle):
        before, self.seen = self.seen, candle.open_ms
        self.wanted = Decimal("0.01") - self.wanted
        return self.target(candle.market, self.wanted, reason=f"{WORD} {before}")
"""


def version(number: int, word: str, text: str = TEXT):
    return pack(f"sized-{number}", {"mine.py": text, "word.py": f"WORD = {word!r}\n"})


ONE, TWO = version(1, "one"), version(2, "two")
BROKEN = version(3, "three", TEXT.replace("from word", "from words"))


def of(running: Running, generation: int) -> list[Decision]:
    return [decision for decision in running.decisions if decision.generation == generation]


async def test_another_version_takes_over_in_both_pods_at_one_event_and_none_is_lost(
    bus: Bus, tmp_path: Path
) -> None:
    account = build_account(OWN, replicas=2)
    async with run_account(bus, tmp_path, PRICE, account, ONE) as running:
        await running.start_pod(STANDBY)
        for pod in (POD, STANDBY):
            applied = running.log(pod, "evaluation")
            await running.until(
                lambda path=applied: "specification applied" in path.read_text(), "both pods are warm"
            )
        await trading(running, PRICE, lambda: len(of(running, 1)) >= 3, "three decisions of the first")
        written_ms, began = running.exchange.clock.now_ms(), time.monotonic()
        await running.control(2, TWO)
        took: list[float] = []

        def has_switched() -> bool:
            logs = [running.log(pod, "evaluation").read_text() for pod in (POD, STANDBY)]
            if not took and all("sized-2@" in log for log in logs):
                took.append(time.monotonic() - began)
            return bool(took) and len(of(running, 2)) >= 3

        await trading(running, PRICE, has_switched, "three decisions of the second")
        last_old = max(decision.event_time_ms for decision in of(running, 1))
        print(
            f"both pods run it {took[0]:.3f} s after it was written; the last event of the one before was "
            f"{max(0, last_old - written_ms)} ms after it"
        )

        await running.control(3, BROKEN)
        told = f"generation 3 is not applied, generation 2 runs on ({TWO.name})"
        await trading(
            running,
            PRICE,
            lambda: all(told in running.log(pod, "evaluation").read_text() for pod in (POD, STANDBY)),
            "both pods refuse the third",
        )
        enough = len(running.decisions) + 2
        await trading(running, PRICE, lambda: len(running.decisions) >= enough, "the second goes on")

        before_the_end = len(running.decisions)
        await running.kill(POD)
        await trading(
            running, PRICE, lambda: len(running.decisions) >= before_the_end + 2, "the standby goes on"
        )

        assert [decision.version for decision in of(running, 1)] == [ONE.name] * len(of(running, 1))
        assert [decision.version for decision in of(running, 2)] == [TWO.name] * len(of(running, 2))
        assert len(of(running, 1)) + len(of(running, 2)) == len(running.decisions)
        assert all(decision.market == MARKET for decision in running.decisions)
        by_event = [(decision.event_time_ms, decision.generation) for decision in running.decisions]
        assert by_event == sorted(set(by_event)), "an event was decided twice or out of order"
        for number, decision in enumerate(running.decisions):
            word, before = decision.reason.split()
            assert word == {1: "one", 2: "two"}[decision.generation]
            if number == 0 and before == "0":  # the market's very first candle
                continue
            assert int(before) == decision.event_time_ms - 2 * SECOND_MS, "a candle before it was not seen"

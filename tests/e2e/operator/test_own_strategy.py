"""A strategy of the user's own, from a ConfigMap: named while it is missing, trading once it is there.

It is changed while it trades, and harms nobody when it takes all the memory that there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from demo.ground_truth import entries
from tests.component.operator.harness import Manifest, eventually
from tests.e2e.operator.conftest import Platform, build_own_strategy

MakeAccount = Callable[..., str]
SECOND_MS = 1_000

SIZED = '''
from decimal import Decimal

from smarttrade import Parameter, Strategy


class InAndOut(Strategy):
    """Buys at one candle and sells at the next; says which version it is, and which candle it saw before."""

    size = Parameter(Decimal("0.01"), minimum=Decimal("0.01"), maximum=Decimal(1))

    def start(self):
        self.wanted, self.seen = Decimal(0), 0

    def on_candle(self, candle):
        before, self.seen = self.seen, candle.open_ms
        self.wanted = self.size - self.wanted
        return self.target(candle.market, self.wanted, reason=f"one {self.size} {before}")
'''

HOARDING = '''
from decimal import Decimal

from smarttrade import Strategy


class InAndOut(Strategy):
    """Buys with a stop; once it holds something, it takes all the memory that there is."""

    def on_candle(self, candle):
        hoard = []
        while self.position(candle.market) > 0:
            hoard.append(b"x" * (1 << 24))
        stop = (candle.close / 2).quantize(Decimal("1e3"))
        return self.target(candle.market, Decimal("0.01"), stop_loss=stop)
'''


@pytest.fixture(scope="module")
def judy(platform: Platform) -> Iterator[str]:
    """An account with its own strategy, whose ConfigMap is missing yet; the tests go on from one another."""
    platform.apply("judy", strategy=build_own_strategy("sized-1"))
    yield "judy"
    platform.remove("judy")


def test_a_strategy_from_a_config_map_trades_once_that_is_there(platform: Platform, judy: str) -> None:
    condition = platform.users.wait_condition(judy, "ConfigApplied", "StrategyMissing", 120)
    assert 'configmap "sized-1" not found' in condition["message"]
    platform.provide_strategy("sized-1", SIZED)
    platform.wait_fills(judy, 2)


def test_every_change_of_the_object_takes_effect_at_one_event_and_loses_none(
    platform: Platform, judy: str
) -> None:
    """By the account's own log: which generation decided on which candle, after which one."""
    written: dict[int, int] = {}

    def write(**spec: object) -> int:
        changed = platform.users.patch("TradingAccount", judy, {"spec": spec})
        generation = int(changed["metadata"]["generation"])
        written[generation] = time.time_ns() // 1_000_000
        return generation

    def change(**spec: object) -> int:
        """Until three decisions in turn were made by it: one of them buys what is not held."""
        generation = write(**spec)

        def has_decided() -> bool:
            return [d["generation"] for d in _decisions(platform.audit(judy))[-4:-1]] == [generation] * 3

        eventually(has_decided, 60, str(spec))
        return generation

    larger = change(strategy={"parameters": {"size": "0.02"}})
    denied = {
        change(risk={"maxOrderNotional": "10"}): "MaxOrderNotional",
        change(risk={"maxOrderNotional": "10000"}, state="ReduceOnly"): "StateReduceOnly",
    }
    smaller = change(state="Active", strategy={"parameters": {"size": "0.03"}})
    pods = _started(platform, judy)
    second = platform.provide_strategy("sized-2", SIZED.replace("one {", "two {"))
    began = time.monotonic()
    version = write(strategy={**second, "parameters": {"size": "0.03"}})
    eventually(lambda: platform.status(judy)["strategyVersion"].startswith("sized-2@"), 60, "it is shown")
    print(f"another version is shown as running after {time.monotonic() - began:.2f} s")
    eventually(lambda: _decisions(platform.audit(judy))[-1]["generation"] == version, 60, "it decides")

    broken = platform.provide_strategy("sized-3", "from nowhere import nothing\n")
    written.pop(write(strategy=broken))
    condition = platform.users.wait_condition(judy, "ConfigApplied", "StrategyFailed", 60)
    assert f"generation {version} runs on (sized-2@" in condition["message"]
    assert "ModuleNotFoundError: No module named 'nowhere'" in condition["message"]
    platform.wait_fills(judy, int(platform.status(judy)["fills"]) + 2)
    mended = change(strategy=second)
    assert _started(platform, judy) == pods, "no pod was replaced, and no container"

    rows = platform.audit(judy)
    decided = _decisions(rows)
    late_ms = {generation: _lateness_ms(decided, generation, at) for generation, at in written.items()}
    print("last event of an older generation, after the change was written:", late_ms, "ms")
    names = {d["version"].partition("@")[0]: set() for d in decided}
    for d in decided:
        names[d["version"].partition("@")[0]].add(d["generation"])
    assert names["sized-2"] == {version, mended}
    assert names["sized-1"] == {d["generation"] for d in decided} - {version, mended}

    told = [(d["generation"], *d["reason"].split()) for d in decided]
    sizes = {generation: {size for by, _, size, _ in told if by == generation} for generation in written}
    by_id = {d["id"]: d["generation"] for d in decided}
    codes = [(by_id[row["record"]["id"]], row["record"]["code"]) for row in rows if row["kind"] == "closed"]
    for generation, code in denied.items():
        assert (generation, code) in codes
    assert sizes[larger] == {"0.02"}
    assert sizes[smaller] == {"0.03"}
    assert {word for by, word, _, _ in told if by < version} == {"one"}
    assert {word for by, word, _, _ in told if by >= version} == {"two"}
    assert [by for by, *_ in told] == sorted(by for by, *_ in told), "an older generation decided again"
    events = [int(d["event_time_ms"]) for d in decided]
    assert events == sorted(set(events)), "an event was decided twice"
    for (*_, before), event_ms in zip(told, events, strict=True):
        assert int(before) == event_ms - 2 * SECOND_MS, f"a candle before {event_ms} was not seen"


def _started(platform: Platform, name: str) -> dict[str, list[str]]:
    """Every container of every pod, by what it is and when it began."""
    return {
        pod["metadata"]["name"]: sorted(
            f"{status['name']} {status['state']['running']['startedAt']}"
            for status in pod["status"]["containerStatuses"]
        )
        for pod in platform.pods(name)
    }


def _decisions(rows: list[Manifest]) -> list[Manifest]:
    """All that were taken, in the log's order."""
    return [row["record"]["decision"] for row in rows if row["kind"] == "accepted"]


def _lateness_ms(decided: list[Manifest], generation: int, written_ms: int) -> int:
    """How long after a change was written an event was still decided by what was there before it."""
    older = [int(d["event_time_ms"]) for d in decided if d["generation"] < generation]
    return max(0, max(older) - written_ms)


def test_a_strategy_that_takes_all_memory_harms_nobody(
    platform: Platform, account: MakeAccount, judy: str
) -> None:
    name = account("oscar", strategy=platform.provide_strategy("hoarding", HOARDING))
    condition = platform.users.wait_condition(name, "PodsHealthy", "StrategyFailed", 120)
    assert "container evaluation: exited with 137" in condition["message"]
    assert "out of memory: raise its limit in spec.resources.evaluation" in condition["message"]

    def killed_again() -> bool:
        evaluation = _containers(platform, name)["evaluation"]
        return (
            evaluation["lastState"]["terminated"]["reason"] == "OOMKilled" and evaluation["restartCount"] > 1
        )

    fills = int(platform.status(judy)["fills"])
    eventually(killed_again, 120, "the container is killed again")
    platform.wait_fills(judy, fills + 2)
    for whose in (name, judy):
        assert {
            c["restartCount"] for role, c in _containers(platform, whose).items() if role != "evaluation"
        } == {0}
    assert _containers(platform, judy)["evaluation"]["restartCount"] == 0

    [position] = platform.status(name)["positions"]
    held = Decimal(position["quantity"])
    assert held > Decimal("0.009")

    def is_protected() -> bool:
        return held - Decimal("0.0001") <= _stops(platform, name) <= held

    eventually(is_protected, 30, "a stop rests for what is held")


def _containers(platform: Platform, name: str) -> dict[str, Any]:
    [pod] = platform.pods(name)
    return {status["name"]: status for status in pod["status"]["containerStatuses"]}


def _stops(platform: Platform, name: str) -> Decimal:
    """What the exchange would sell at stops that rest, by its own journal."""
    known = entries(platform.cluster, name, platform.system.name)
    ended = {entry["order_id"] for entry in known if entry["kind"] != "NEW"}
    resting = [e for e in known if e["type"].startswith("STOP") and e["order_id"] not in ended]
    return sum((Decimal(entry["quantity"]) for entry in resting), Decimal(0))

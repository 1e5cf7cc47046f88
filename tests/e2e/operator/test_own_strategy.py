"""A strategy of the user's own, from a ConfigMap: named while it is missing, trading once it is there.

It is changed while it trades, and harms nobody when it takes all the memory that there is, raises or never
returns. One comes in an image of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import cycle
from typing import Any

import pytest

from demo.ground_truth import entries
from tests.component.operator.harness import Manifest, assert_prompt, eventually, seconds_until
from tests.e2e.operator.conftest import IN_AND_OUT, Platform, build_own_strategy
from tests.e2e.operator.own_image import own_image

MakeAccount = Callable[..., str]
SECOND_MS = 1_000
PAUSE_IN_FILLS = 20

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

HOLDING = '''
from decimal import Decimal

from smarttrade import Strategy


class InAndOut(Strategy):
    """Buys with a stop, and keeps both."""

    def on_candle(self, candle):
        self.consider(candle)
        stop = (candle.close / 2).quantize(Decimal("1e3"))
        return self.target(candle.market, Decimal("0.01"), stop_loss=stop)

    def consider(self, candle):
        pass
'''

CRASHING = HOLDING.replace(
    "        pass",
    """        if self.position(candle.market) > 0:
            raise ValueError("nobody said what to do with a position")""",
)

ENDLESS = HOLDING.replace(
    "        pass",
    """        while self.position(candle.market) > 0:
            pass""",
)


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

    def write(**spec: object) -> int:
        changed = platform.users.patch("TradingAccount", judy, {"spec": spec})
        return int(changed["metadata"]["generation"])

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
    version = write(strategy={**second, "parameters": {"size": "0.03"}})
    eventually(lambda: platform.status(judy)["strategyVersion"].startswith("sized-2@"), 60, "it is shown")
    eventually(lambda: _decisions(platform.audit(judy))[-1]["generation"] == version, 60, "it decides")

    broken = platform.provide_strategy("sized-3", "from nowhere import nothing\n")
    write(strategy=broken)
    condition = platform.users.wait_condition(judy, "ConfigApplied", "StrategyFailed", 60)
    assert f"generation {version} runs on (sized-2@" in condition["message"]
    assert "ModuleNotFoundError: No module named 'nowhere'" in condition["message"]
    platform.wait_fills(judy, int(platform.status(judy)["fills"]) + 2)
    mended = change(strategy=second)
    assert _started(platform, judy) == pods, "no pod was replaced, and no container"

    rows = platform.audit(judy)
    decided = _decisions(rows)
    names = {d["version"].partition("@")[0]: set() for d in decided}
    for d in decided:
        names[d["version"].partition("@")[0]].add(d["generation"])
    assert names["sized-2"] == {version, mended}
    assert names["sized-1"] == {d["generation"] for d in decided} - {version, mended}

    told = [(d["generation"], *d["reason"].split()) for d in decided]
    by_id = {d["id"]: d["generation"] for d in decided}
    codes = [(by_id[row["record"]["id"]], row["record"]["code"]) for row in rows if row["kind"] == "closed"]
    for generation, code in denied.items():
        assert (generation, code) in codes
    assert {size for by, _, size, _ in told if by == larger} == {"0.02"}
    assert {size for by, _, size, _ in told if by == smaller} == {"0.03"}
    assert {word for by, word, _, _ in told if by < version} == {"one"}
    assert {word for by, word, _, _ in told if by >= version} == {"two"}
    assert [by for by, *_ in told] == sorted(by for by, *_ in told), "an older generation decided again"
    events = [int(d["event_time_ms"]) for d in decided]
    assert events == sorted(set(events)), "an event was decided twice"
    for (*_, before), event_ms in zip(told, events, strict=True):
        assert int(before) == event_ms - 2 * SECOND_MS, f"a candle before {event_ms} was not seen"


def test_every_kind_of_change_runs_in_the_whole_pod_within_a_second(
    platform: Platform, account: MakeAccount
) -> None:
    """From the moment the API server has the change until the object shows what each container says of it.

    With a pause before each, as a person makes: whoever changes many things in a few seconds is served once a
    second (`smarttrade_operator.queue`).
    """
    versions = {name: platform.provide_strategy(name, SIZED) for name in ("sized-4", "sized-5")}
    name = account("frank", strategy=versions["sized-4"])
    platform.wait_fills(name, 1)
    platform.users.wait_condition(name, "Ready", "Trading", 60)
    pods = _started(platform, name)

    def until_it_runs(**spec: object) -> float:
        changed = platform.users.patch("TradingAccount", name, {"spec": spec})
        generation = int(changed["metadata"]["generation"])

        def is_shown() -> bool:
            applied = platform.users.condition(name, "ConfigApplied")
            return (applied["status"], applied["message"]) == (
                "True",
                f"all pods run generation {generation}",
            )

        return seconds_until(is_shown, str(spec))

    def change_in_turn(*specs: dict[str, object]) -> Callable[[], float]:
        turns = cycle(specs)
        return lambda: until_it_runs(**next(turns))

    def other_version() -> float:
        running = platform.status(name)["strategyVersion"].partition("@")[0]
        [other] = versions.keys() - {running}
        taken_s = until_it_runs(strategy=versions[other])
        assert platform.status(name)["strategyVersion"].startswith(f"{other}@")
        return taken_s

    def held_to_a_second(kind: str, change: Callable[[], float]) -> None:
        def after_a_pause() -> float:
            platform.wait_fills(name, int(platform.status(name)["fills"]) + PAUSE_IN_FILLS)
            return change()

        assert_prompt(1.0, kind, after_a_pause)

    sizes = ({"strategy": {"parameters": {"size": size}}} for size in ("0.02", "0.03"))
    limits = ({"risk": {"maxOrderNotional": most}} for most in ("9000", "10000"))
    held_to_a_second("other parameters", change_in_turn(*sizes))
    held_to_a_second("another limit", change_in_turn(*limits))
    held_to_a_second("another version", other_version)
    held_to_a_second("another state", change_in_turn({"state": "ReduceOnly"}, {"state": "Active"}))
    assert _started(platform, name) == pods, "no pod was replaced, and no container"


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

    eventually(killed_again, 120, "the container is killed again")
    _assert_contained(platform, name, judy)


def _assert_contained(platform: Platform, name: str, neighbour: str) -> None:
    """Nothing but the account's evaluation has noticed: what it holds has a stop, and others trade."""
    fills = int(platform.status(neighbour)["fills"])
    platform.wait_fills(neighbour, fills + 2)
    for whose in (name, neighbour):
        assert {
            c["restartCount"] for role, c in _containers(platform, whose).items() if role != "evaluation"
        } == {0}
    assert _containers(platform, neighbour)["evaluation"]["restartCount"] == 0

    [position] = platform.status(name)["positions"]
    held = Decimal(position["quantity"])
    assert held > Decimal("0.009")

    def is_protected() -> bool:
        return held - Decimal("0.0001") <= _stops(platform, name) <= held

    eventually(is_protected, 30, "a stop rests for what is held")


def test_a_strategy_that_raises_or_never_returns_is_contained_until_a_good_one_follows(
    platform: Platform, account: MakeAccount, judy: str
) -> None:
    name = account("quinn", strategy=platform.provide_strategy("holding", HOLDING))
    platform.wait_fills(name, 1)

    def change(config_map: str, module: str) -> None:
        strategy = platform.provide_strategy(config_map, module)
        platform.users.patch("TradingAccount", name, {"spec": {"strategy": strategy}})

    def fails_with(words: str) -> Callable[[], bool]:
        def is_told() -> bool:
            condition = platform.users.condition(name, "PodsHealthy")
            assert (condition["status"], condition["reason"]) == ("False", "StrategyFailed"), condition
            return words in condition["message"]

        return is_told

    change("crashing", CRASHING)
    raised = "ValueError: nobody said what to do with a position"
    eventually(fails_with(raised), 60, "the exception is told")
    _assert_contained(platform, name, judy)

    change("endless", ENDLESS)
    stuck = "the strategy has not returned from its handler for 10 s"
    eventually(fails_with(stuck), 120, "the watchdog's words are told")
    _assert_contained(platform, name, judy)

    change("in-and-out", IN_AND_OUT)
    platform.wait_fills(name, int(platform.status(name)["fills"]) + 2, 240)
    platform.users.wait_condition(name, "Ready", "Trading", 60)
    assert platform.status(name)["strategyVersion"].startswith("in-and-out@")


def test_a_strategy_in_an_image_of_its_own_trades_beside_one_from_a_config_map(
    platform: Platform, account: MakeAccount, judy: str
) -> None:
    runtime = platform.images["runtime"]

    def in_image(image: str) -> Manifest:
        return {"source": {"image": image, "class": "mine.InAndOut"}, "timeframe": "1s", "parameters": {}}

    with (
        own_image(platform.cluster.target, runtime, "first", SIZED) as first,
        own_image(platform.cluster.target, runtime, "second", SIZED.replace("one {", "two {")) as second,
    ):
        name = account("ruth", strategy=in_image(first))
        platform.wait_fills(name, 2)
        [pod] = platform.pods(name)
        images = {each["name"]: each["image"] for each in pod["spec"]["containers"]}
        assert images == {"monitoring": runtime, "evaluation": first, "execution": runtime}
        assert _decisions(platform.audit(name))[-1]["version"] == _version_of(first)

        platform.users.patch("TradingAccount", name, {"spec": {"strategy": in_image(second)}})
        eventually(lambda: platform.status(name)["strategyVersion"] == _version_of(second), 120, "the second")
        platform.wait_fills(name, int(platform.status(name)["fills"]) + 2)
        platform.users.wait_condition(name, "ConfigApplied", "Applied", 60)
        words = [(d["version"], d["reason"].split()[0]) for d in _decisions(platform.audit(name))]
        assert set(words) == {(_version_of(first), "one"), (_version_of(second), "two")}
        assert words == sorted(words, key=lambda each: each[1]), "the first decided again"

        elsewhere = in_image(second.replace("localhost/strategies", "localhost/elsewhere"))
        change = {"spec": {"strategy": elsewhere, "state": "Paused"}}
        platform.users.patch("TradingAccount", name, change)
        platform.users.wait_condition(name, "ConfigApplied", "ImageNotAllowed", 60)
        eventually(lambda: platform.status(name)["effectiveState"] == "Paused", 60, "the state takes effect")

        fills = int(platform.status(judy)["fills"])
        platform.wait_fills(judy, fills + 2)
        assert platform.status(judy)["strategyVersion"].startswith("sized-")
        platform.remove(name)


def _version_of(image: str) -> str:
    repository, _, digest = image.partition("@sha256:")
    return f"{repository}@{digest[:12]}"


def _containers(platform: Platform, name: str) -> dict[str, Any]:
    [pod] = platform.pods(name)
    return {status["name"]: status for status in pod["status"]["containerStatuses"]}


def _stops(platform: Platform, name: str) -> Decimal:
    """What the exchange would sell at stops that rest, by its own journal."""
    known = entries(platform.cluster, name, platform.system.name)
    ended = {entry["order_id"] for entry in known if entry["kind"] != "NEW"}
    resting = [e for e in known if e["type"].startswith("STOP") and e["order_id"] not in ended]
    return sum((Decimal(entry["quantity"]) for entry in resting), Decimal(0))

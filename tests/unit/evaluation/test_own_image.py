"""A strategy in an image of its own: a pod with another image leaves the change to those that have it."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smarttrade.evaluation.session import Session
from smarttrade.messages import ControlChange, MarketBatch, StrategyVersion
from smarttrade.source import pack, refer
from tests.unit.evaluation.strategies import IDENTITY
from tests.unit.evaluation.test_corrections import SILENT, Bus

IMAGE, NEXT = (f"registry.example/mine@sha256:{digit * 64}" for digit in "12")
IN_CONFIG_MAP = {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}


class Pod:
    """Evaluation in the image, whose monitoring has the specification of generation 1."""

    def __init__(self, image: str, source: dict[str, Any], version: StrategyVersion) -> None:
        self.bus: Any = Bus(version)
        self.bus._reply.spec["strategy"]["source"] = source
        self.told: list[tuple[bool, str]] = []
        self.session = Session(
            IDENTITY,
            self.bus,
            offer=lambda decisions: None,
            wanted=lambda: None,
            ready=lambda ok, reason: self.told.append((ok, reason)),
            guard=nullcontext(),
            image=image,
        )

    async def change(self, generation: int, source: dict[str, Any], version: StrategyVersion) -> None:
        spec = msgspec.json.decode(msgspec.json.encode(self.bus._reply.spec))
        spec["strategy"]["source"] = source
        event = ControlChange(generation=generation, spec=spec, strategy=version)
        await self.session.batch(MarketBatch(feed="feed", seq=generation - 1, events=[event]))


def in_image(image: str) -> tuple[dict[str, Any], StrategyVersion]:
    return {"image": image, "class": "mine.Mine"}, refer(image)


def in_config_map() -> tuple[dict[str, Any], StrategyVersion]:
    return IN_CONFIG_MAP, pack("mine", {"mine.py": SILENT})


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "mine.py").write_text(SILENT)
    monkeypatch.setattr("smarttrade.evaluation.versions.SOURCE_DIRECTORY", tmp_path)
    made: list[Pod] = []

    def make(image: str, source: dict[str, Any], version: StrategyVersion) -> Pod:
        made.append(Pod(image, source, version))
        return made[-1]

    yield make
    for pod in made:
        pod.session.close()


async def test_the_strategy_of_the_pod_s_image_runs_and_its_version_is_the_image(pods: Any) -> None:
    pod = pods(IMAGE, *in_image(IMAGE))
    await pod.session.synchronise()
    assert pod.told == [(True, "")]
    assert (pod.session.generation, pod.session.version) == (1, "registry.example/mine@111111111111")


@pytest.mark.parametrize(
    ("image", "before", "after"),
    [
        (IMAGE, in_image(IMAGE), in_image(NEXT)),
        (IMAGE, in_image(IMAGE), in_config_map()),
        ("", in_config_map(), in_image(IMAGE)),
    ],
)
async def test_what_is_for_another_image_is_left_to_its_pods_and_what_runs_runs_on(
    pods: Any, image: str, before: Any, after: Any
) -> None:
    pod = pods(image, *before)
    await pod.session.synchronise()
    core = pod.session.core
    await pod.change(2, *after)
    assert pod.session.core is core
    assert (pod.session.generation, pod.session.refused, pod.session.error) == (1, 0, "")
    assert pod.told[-1] == (True, "generation 2 is for pods with another image")
    await pod.change(3, *before)
    assert pod.session.generation == 3
    assert pod.session.core is core


async def test_a_pod_that_starts_with_an_older_image_decides_nothing(pods: Any) -> None:
    pod = pods(IMAGE, *in_image(NEXT))
    await pod.session.synchronise()
    assert pod.session.core is None
    assert pod.told == [(False, "generation 1 is for pods with another image")]

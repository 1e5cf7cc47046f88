"""On the bus: each attempt is refused as declared while another account trades on, and succeeds unguarded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from tests.attacks.bus import attempts_credentials, attempts_strategy, attempts_tenancy
from tests.attacks.bus.scene import Stage
from tests.attacks.matrix import Attempt, Succeeded, judge

pytestmark = pytest.mark.asyncio(loop_scope="module")
MATRICES = (attempts_tenancy.MATRIX, attempts_strategy.MATRIX, attempts_credentials.MATRIX)
ATTEMPTS = [attempt for matrix in MATRICES for attempt in matrix.attempts]
CONTROLS = [control for matrix in MATRICES for control in matrix.controls()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(nats_server_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    keys = OperatorKeys.generate()
    folder = tmp_path_factory.mktemp("nats")
    async with LocalServer(keys, folder, binary=nats_server_binary) as server:
        stage = await Stage.open(server, keys)
        yield stage
        await stage.close()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
async def test_it_is_refused_and_the_victim_notices_nothing(stage: Stage, attempt: Attempt) -> None:
    scene = await stage.scene()
    try:
        judge(attempt, await attempt.run(scene))
        await stage.victim.is_whole()
    finally:
        await scene.close()


@pytest.mark.parametrize(("attempt", "guard"), CONTROLS, ids=str)
async def test_without_its_guard_it_succeeds(stage: Stage, attempt: Attempt, guard: str) -> None:
    scene = await stage.scene(*guard.split(" + "))
    try:
        outcome = await attempt.run(scene)
        assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"
    finally:
        await scene.close()

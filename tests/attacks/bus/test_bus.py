"""On the bus: each attempt is refused as declared while another account trades on, and succeeds unguarded."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from smarttrade.bus.jetstream import BusTimeoutError
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from tests.attacks.bus import (
    attempts_credentials,
    attempts_monitoring,
    attempts_strategy,
    attempts_tenancy,
    attempts_trail,
)
from tests.attacks.bus.scene import SETTINGS, LaxServer, Stage
from tests.attacks.bus.victim import LossError
from tests.attacks.latency import ENOUGH
from tests.attacks.matrix import Attempt, Succeeded, judge

pytestmark = pytest.mark.asyncio(loop_scope="module")
MATRICES = (
    attempts_tenancy.MATRIX,
    attempts_strategy.MATRIX,
    attempts_credentials.MATRIX,
    attempts_trail.MATRIX,
    attempts_monitoring.MATRIX,
)
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lax_stages(
    nats_server_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Stage]]:
    """For each guard of the server's own a server without it."""
    async with AsyncExitStack() as stack:
        stages = {}
        for guard in SETTINGS:
            keys, folder = OperatorKeys.generate(), tmp_path_factory.mktemp("lax")
            lax = LaxServer(guard, keys, folder, binary=nats_server_binary)
            stages[guard] = await Stage.open(await stack.enter_async_context(lax), keys)
            stack.push_async_callback(stages[guard].close)
        yield stages


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
async def test_it_is_refused_and_the_victim_notices_nothing(stage: Stage, attempt: Attempt) -> None:
    try:
        await _make(attempt, stage)
    except (LossError, BusTimeoutError):
        # A server that stands still for seconds, with its disk, costs connections; an attack does it again.
        await stage.renew()
        await _make(attempt, stage)


async def _make(attempt: Attempt, stage: Stage) -> None:
    scene = await stage.scene()
    try:
        async with stage.victim.unharmed():
            judge(attempt, await attempt.run(scene))
    finally:
        await scene.close()


@pytest.mark.parametrize(("attempt", "guard"), CONTROLS, ids=str)
async def test_without_its_guard_it_succeeds(
    stage: Stage, lax_stages: dict[str, Stage], attempt: Attempt, guard: str
) -> None:
    off = guard.split(" + ")
    scene = await next((lax_stages[each] for each in off if each in lax_stages), stage).scene(*off)
    try:
        outcome = await attempt.run(scene)
        assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"
    finally:
        await scene.close()


async def test_a_victim_that_is_slowed_down_notices(stage: Stage) -> None:
    """Its server stands still for a while in each round: what the bound on its latency is for."""

    async def slow_down() -> None:
        async with stage.victim.unharmed() as limit_s:
            for _ in range(ENOUGH):
                os.kill(stage.server.pid, signal.SIGSTOP)
                try:
                    await asyncio.sleep(2 * limit_s)
                finally:
                    os.kill(stage.server.pid, signal.SIGCONT)
                await stage.victim.goes_on(1)

    with pytest.raises(AssertionError, match="the victim got slower"):
        await slow_down()

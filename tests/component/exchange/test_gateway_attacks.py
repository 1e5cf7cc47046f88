"""On the real gateway: each attempt is refused as declared, and succeeds where the guard is off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.attacks.gateway.attempts_gateway import MATRIX, Way
from tests.attacks.matrix import Attempt, Succeeded, judge


@pytest_asyncio.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(2)]
    own, elsewhere = (f"localhost:{server.sockets[0].getsockname()[1]}" for server in servers)
    yield Way(tmp_path, own, elsewhere)
    for server in servers:
        server.close()


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
async def test_it_is_refused(way: Way, attempt: Attempt) -> None:
    judge(attempt, await attempt.run(way))  # type: ignore[misc]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
async def test_without_its_guard_it_succeeds(way: Way, attempt: Attempt, guard: str) -> None:
    outcome = await attempt.run(Way(way.folder, way.host, way.elsewhere, guard))  # type: ignore[misc]
    assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"

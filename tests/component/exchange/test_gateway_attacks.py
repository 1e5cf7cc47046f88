"""On the real gateway: each attempt is refused as declared, and succeeds where the guard is off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.attacks.gateway import unguarded
from tests.attacks.gateway.attempts_gateway import MATRIX, Way
from tests.attacks.matrix import Attempt, Succeeded, judge

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SWITCHED = {switch.guard for switch in unguarded.SWITCHES}


@pytest.fixture(scope="module")
def build_without_guards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unguarded.build(tmp_path_factory.mktemp("unguarded"))


@pytest_asyncio.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    visits: asyncio.Queue[str] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.put_nowait(f"localhost:{writer.get_extra_info('sockname')[1]}")
        writer.write(ANSWER)
        with contextlib.suppress(OSError):
            while said := await reader.read(1024):
                writer.write(said)
        writer.close()

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(2)]
    own, elsewhere = (f"localhost:{server.sockets[0].getsockname()[1]}" for server in servers)
    yield Way(tmp_path, own, elsewhere, visits)
    for server in servers:
        server.close()


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
async def test_it_is_refused(way: Way, attempt: Attempt) -> None:
    judge(attempt, await attempt.run(way))  # type: ignore[misc]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
async def test_without_its_guard_it_succeeds(
    way: Way, build_without_guards: Path, attempt: Attempt, guard: str
) -> None:
    program = build_without_guards if guard in SWITCHED else None
    outcome = await attempt.run(replace(way, off=guard, unguarded=program))  # type: ignore[misc]
    assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"


@pytest.mark.parametrize("attempt", [each for each in MATRIX.attempts if SWITCHED & {*each.guards}], ids=str)
async def test_the_build_of_the_controls_refuses_it_with_all_guards_on(
    way: Way, build_without_guards: Path, attempt: Attempt
) -> None:
    judge(attempt, await attempt.run(replace(way, unguarded=build_without_guards)))  # type: ignore[misc]

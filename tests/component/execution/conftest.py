from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.component.execution.theatre import Theatre

Stage = Callable[..., Any]


@pytest_asyncio.fixture
async def stage(nats_server_binary: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """Opens a theatre: `theatre = await stage(replicas=2)`."""
    async with AsyncExitStack() as stack:

        async def opened(**options: Any) -> Theatre:
            return await stack.enter_async_context(Theatre(nats_server_binary, tmp_path, **options))

        yield opened

"""What evaluation asks over a real nats-server."""

import asyncio
from typing import Any

import pytest

from smarttrade.bus import subjects
from smarttrade.errors import BusError
from smarttrade.evaluation.bus import PodBus
from tests.component.monitoring.pod import Bus

POD = "alice-0"


async def test_an_answer_that_was_lost_with_the_connection_is_not_waited_for(bus: Bus) -> None:
    asked = asyncio.Event()

    async def keep_silent(_: Any) -> None:
        asked.set()

    await (await bus.connect("monitoring")).subscribe(subjects.history(POD), cb=keep_silent)
    asking = asyncio.create_task(PodBus(await bus.connect("evaluation"), POD).history("BTC/USDT", "1m", 5))
    await asyncio.wait_for(asked.wait(), 10)
    await bus.server.stop(kill=True)
    await bus.server.start()
    with pytest.raises(BusError, match="connection was lost while an answer was on its way"):
        await asyncio.wait_for(asking, 60)

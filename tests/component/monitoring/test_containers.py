"""Monitoring and evaluation as the processes that containers run: ready, measured, logged, stopped."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.simulator import Simulator
from tests.component.monitoring.pod import PATIENCE_S, Bus, Execution, build_spec, endpoint_of, eventually

POD = "alice-0"


class Container:
    """One child process with its own port for probes."""

    def __init__(self, role: str, port: int, environment: dict[str, str], log: Path) -> None:
        self.role, self.url, self.log = role, f"http://127.0.0.1:{port}", log
        self._environment = environment

    async def start(self) -> "Container":
        with self.log.open("w") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"smarttrade.{self.role}", env=self._environment, stdout=output
            )
        return self

    async def ready(self, http: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.process.returncode is None:
                try:
                    async with http.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError(f"{self.role} ended with {self.process.returncode}")

    async def metrics(self, http: aiohttp.ClientSession) -> str:
        async with http.get(f"{self.url}/metrics") as answer:
            return await answer.text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


@pytest_asyncio.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorConfig(symbols=["BTC/USDT"])) as running:
        yield running


@pytest_asyncio.fixture
async def containers(
    bus: Bus, exchange: Simulator, tmp_path: Path, unused_tcp_port_factory: Any
) -> AsyncIterator[dict[str, Container]]:
    await bus.control(1, build_spec(parameters={"fast": 3, "slow": 8}))
    started = {}
    for role in ("monitoring", "evaluation"):
        port = unused_tcp_port_factory()
        environment = {
            **os.environ,
            "SMARTTRADE_INSTALLATION": "tests",
            "SMARTTRADE_NAMESPACE": "alice",
            "SMARTTRADE_ACCOUNT": "alice",
            "SMARTTRADE_POD": POD,
            "SMARTTRADE_NATS_URL": bus.server.url,
            "SMARTTRADE_NATS_CREDENTIALS": str(bus.settings(role, POD, tmp_path).nats_credentials),
            "SMARTTRADE_ENDPOINT": endpoint_of(exchange) if role == "monitoring" else "{}",
            "SMARTTRADE_PORT": str(port),
            "SMARTTRADE_HOST": "127.0.0.1",
        }
        started[role] = await Container(role, port, environment, tmp_path / f"{role}.log").start()
    yield started
    for container in started.values():
        await container.stop()


async def test_the_pod_becomes_ready_decides_and_stops_cleanly(
    bus: Bus, containers: dict[str, Container]
) -> None:
    execution = await Execution(await bus.connect("execution"), POD).start()
    execution.leading = True
    monitoring, evaluation = containers["monitoring"], containers["evaluation"]
    async with aiohttp.ClientSession() as http:
        await monitoring.ready(http)
        await evaluation.ready(http)
        await eventually(lambda: len(execution.decisions) >= 3, "three decisions")
        fresh = 'smarttrade_stream_fresh{market="BTC/USDT",stream="trade"} 1.0'
        async with asyncio.timeout(PATIENCE_S):
            while fresh not in await monitoring.metrics(http):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        async with http.get(f"{evaluation.url}/metrics") as answer:
            assert answer.status == 404
        async with asyncio.timeout(PATIENCE_S):
            while "smarttrade_evaluation_leading 1.0" not in await monitoring.metrics(http):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    execution.stop()
    assert [await monitoring.stop(), await evaluation.stop()] == [0, 0]
    [answered, *_] = [line for line in evaluation.lines() if line["event"] == "decision answered"]
    assert (answered["account"], answered["component"], answered["market"]) == (
        "alice/alice",
        "evaluation",
        "BTC/USDT",
    )
    assert answered["decision"] == execution.decisions[0].id
    assert all(line["component"] == "monitoring" for line in monitoring.lines())


@pytest.mark.parametrize("role", ["monitoring", "evaluation"])
def test_a_container_without_its_settings_says_what_is_missing(role: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMARTTRADE_")}
    ended = subprocess.run(
        [sys.executable, "-m", f"smarttrade.{role}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "SMARTTRADE_INSTALLATION is not set" in json.loads(ended.stdout.splitlines()[-1])["event"]


def test_evaluation_never_loads_the_exchange_library() -> None:
    code = (
        "import sys, smarttrade.evaluation.service, smarttrade.evaluation.loading\n"
        "from smarttrade.strategies import BUILT_IN, load_built_in\n"
        "[load_built_in(name) for name in BUILT_IN]\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'ccxt' or 'exchange' in name])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = [name for name in json.loads(ended.stdout.replace("'", '"')) if not name.endswith("api.exchange")]
    assert found == []

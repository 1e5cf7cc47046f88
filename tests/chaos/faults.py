"""Strikes, and heals what it struck. One coroutine a kind; True if the fault really took place.

A trap that no order walks into within its time is taken away and does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable

from smarttrade.errors import BusError
from smarttrade.execution import commands_client
from smarttrade.execution.commands_client import SOCKET_VARIABLE
from smarttrade.execution.commands_wire import Halt, encode
from smarttrade.simulator.faults import FaultKind
from tests.chaos.pod import (
    KILL_AFTER_ANSWER,
    KILL_AFTER_CANCEL,
    KILL_BEFORE_SEND,
    STOP_BEFORE_SEND,
    trap_path,
)
from tests.chaos.protection import require
from tests.chaos.proxy import Fate, Strike
from tests.chaos.schedule import LASTING, ORDER, QUERY, Fault
from tests.chaos.stage import NAMES, Stage
from tests.component.execution.theatre import eventually

_ORDER = ORDER.encode()
_TRAP_S = 15.0
_HALTED_S = 20.0
# A request that a fault delays arrives by then, or its deadline has passed.
_UNDER_WAY_S = 2.5
_EXCHANGE = "exchange-"


class Faults:
    """All kinds, on one stage."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._draw = random.Random(f"faults {seed}")

    @staticmethod
    def kinds() -> set[str]:
        """Every kind but those of the exchange."""
        return set(_KINDS)

    async def strike(self, fault: Fault) -> bool:
        """Do it, undo it, and say whether it took place."""
        if fault.kind.startswith(_EXCHANGE):
            return await self._exchange(fault)
        return await _KINDS[fault.kind](self, fault)

    # --- pods ---

    async def _victim(self, fault: Fault) -> str:
        """The leader, or the other one; any, while nobody leads."""
        leader = self._stage.leading()
        if leader is None:
            await asyncio.sleep(1.0)
            leader = self._stage.leading() or self._draw.choice(NAMES)
        return leader if fault.victim == "leader" else next(name for name in NAMES if name != leader)

    async def _kill(self, fault: Fault) -> bool:
        await self._kill_and_start([await self._victim(fault)], fault)
        return True

    async def _kill_both(self, fault: Fault) -> bool:
        await self._kill_and_start(list(NAMES), fault)
        return True

    async def _kill_and_start(self, names: list[str], fault: Fault) -> None:
        self._stage.expected_down.update(names)
        for name in names:
            await self._stage.pods[name].kill()
        await self._start_again(names, fault)

    async def _start_again(self, names: list[str], fault: Fault) -> None:
        await asyncio.sleep(fault.for_ms / 1000)
        for name in names:
            await self._stage.start(name)
            self._stage.expected_down.discard(name)

    async def _terminate(self, fault: Fault) -> bool:
        name = await self._victim(fault)
        self._stage.expected_down.add(name)
        pod = self._stage.pods[name]
        try:
            await asyncio.wait_for(pod.terminate(), 30)
        except TimeoutError:
            await pod.kill()
        await self._start_again([name], fault)
        return True

    async def _stop(self, fault: Fault) -> bool:
        await self._pause(await self._victim(fault), fault)
        return True

    async def _pause(self, name: str, fault: Fault) -> None:
        pod = self._stage.pods[name]
        with contextlib.suppress(ProcessLookupError):
            pod.signal(signal.SIGSTOP)
            await asyncio.sleep(fault.for_ms / 1000)
            pod.signal(signal.SIGCONT)

    # --- traps in the process ---

    async def _stop_before_send(self, fault: Fault) -> bool:
        name = await self._victim(fault)
        if not await self._trap(name, fault.kind):
            return False
        await asyncio.sleep(fault.for_ms / 1000)
        with contextlib.suppress(ProcessLookupError):
            self._stage.pods[name].signal(signal.SIGCONT)
        return True

    async def _kill_in_place(self, fault: Fault) -> bool:
        name = await self._victim(fault)
        self._stage.expected_down.add(name)
        struck = await self._trap(name, fault.kind)
        if struck:
            await self._stage.pods[name].process.wait()
            await self._start_again([name], fault)
        self._stage.expected_down.discard(name)
        return struck

    async def _trap(self, name: str, kind: str) -> bool:
        """Lay a trap and wait until the process has taken it."""
        path = trap_path(self._stage.traps, name, kind)
        path.touch()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TRAP_S):
                while path.exists() and self._stage.alive(name):  # noqa: ASYNC110 - another process's doing
                    await asyncio.sleep(0.02)
        if not path.exists():
            return True
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            return False
        return True

    # --- traps on the way to the exchange ---

    async def _stop_in_flight(self, fault: Fault) -> bool:
        name = await self._victim(fault)

        async def strike() -> Fate:
            self._stage.pods[name].signal(signal.SIGSTOP)
            return Fate.PASSES

        if not await self._trap_order(name, strike):
            return False
        await asyncio.sleep(fault.for_ms / 1000)
        with contextlib.suppress(ProcessLookupError):
            self._stage.pods[name].signal(signal.SIGCONT)
        return True

    async def _kill_in_flight(self, fault: Fault) -> bool:
        name = await self._victim(fault)
        self._stage.expected_down.add(name)

        async def strike() -> Fate:
            self._stage.pods[name].signal(signal.SIGKILL)
            return Fate.UNANSWERED

        struck = await self._trap_order(name, strike)
        if struck:
            await self._stage.pods[name].process.wait()
            await self._start_again([name], fault)
        self._stage.expected_down.discard(name)
        return struck

    async def _lose_request(self, fault: Fault) -> bool:
        return await self._trap_order(await self._victim(fault), _giving(Fate.LOST))

    async def _lose_answer(self, fault: Fault) -> bool:
        return await self._trap_order(await self._victim(fault), _giving(Fate.UNANSWERED))

    async def _delay_request(self, fault: Fault) -> bool:
        async def strike() -> Fate:
            await asyncio.sleep(fault.for_ms / 1000)
            return Fate.PASSES

        return await self._trap_order(await self._victim(fault), strike)

    async def _trap_order(self, name: str, strike: Strike) -> bool:
        way, sprung = self._stage.ways[name][1], asyncio.Event()

        async def struck() -> Fate:
            sprung.set()
            return await strike()

        way.lay_trap(_ORDER, struck)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sprung.wait(), _TRAP_S)
        way.clear_trap()
        return sprung.is_set()

    # --- ways ---

    async def _cut_bus(self, fault: Fault) -> bool:
        buses, _ = self._stage.ways[await self._victim(fault)]
        for proxy in buses:
            proxy.cut() if fault.detail == "reset" else proxy.silence()
        await asyncio.sleep(fault.for_ms / 1000)
        for proxy in buses:
            proxy.restore()
        return True

    async def _cut_exchange(self, fault: Fault) -> bool:
        _, proxy = self._stage.ways[await self._victim(fault)]
        proxy.cut() if fault.detail == "reset" else proxy.silence()
        await asyncio.sleep(fault.for_ms / 1000)
        proxy.restore()
        return True

    async def _hang(self, fault: Fault) -> bool:
        """The pod's evaluation (or its monitoring too) says nothing more."""
        name = await self._victim(fault)
        silent = self._stage.hung if fault.kind == "hang-evaluation" else self._stage.blind
        silent.add(name)
        await asyncio.sleep(fault.for_ms / 1000)
        silent.discard(name)
        return True

    # --- the bus ---

    async def _kill_server(self, fault: Fault) -> bool:
        servers = self._stage.bus.servers
        server = servers[await self._server_index(fault)]
        await server.stop(kill=True)
        await asyncio.sleep(fault.for_ms / 1000)
        await server.start()
        return True

    async def _stop_server(self, fault: Fault) -> bool:
        server = self._stage.bus.servers[await self._server_index(fault)]
        os.kill(server.pid, signal.SIGSTOP)
        await asyncio.sleep(fault.for_ms / 1000)
        os.kill(server.pid, signal.SIGCONT)
        return True

    async def _partition_server(self, fault: Fault) -> bool:
        self._stage.bus.part(await self._server_index(fault), silently=fault.detail == "silence")
        await asyncio.sleep(fault.for_ms / 1000)
        self._stage.bus.join()
        return True

    async def _server_index(self, fault: Fault) -> int:
        """The stream's leader for the kinds that aim at it, else any."""
        count = len(self._stage.bus.servers)
        if fault.kind in ("kill-stream-leader", "partition-server"):
            with contextlib.suppress(Exception):
                return int((await self._stage.recorder.stream_leader()).removeprefix("nats-"))
        return self._draw.randrange(count)

    async def _fill_disk(self, fault: Fault) -> bool:
        """The store's disk is full; when there is room again the server is started anew, as by its probe."""
        disk, server = self._stage.bus.disk, self._stage.bus.servers[0]
        if disk is None:
            return False
        await asyncio.to_thread(disk.fill)
        await asyncio.sleep(fault.for_ms / 1000 + 1.0)
        disk.free()
        await server.stop()
        await server.start()
        return True

    # --- the exchange ---

    async def _exchange(self, fault: Fault) -> bool:
        """Armed here; requests are struck when they come, and counted by `armed_and_struck`."""
        kind = FaultKind(fault.kind.removeprefix(_EXCHANGE))
        plan, before = self._stage.exchange.faults, self._stage.exchange.faults.injected.get(kind.value, 0)
        if kind.value not in LASTING:
            unit = "skew_ms" if kind is FaultKind.CLOCK_SKEW else "delay_ms"
            times = self._draw.choice((1, 1, 2))
            plan.inject(kind, endpoint=fault.detail, times=times, **{unit: fault.amount})
            if fault.detail == QUERY:
                # Nobody asks for an order whose answer came.
                plan.inject(FaultKind.RESET_AFTER, endpoint=ORDER, times=1)
            await asyncio.sleep(fault.for_ms / 1000)
            return False
        spec = plan.inject(kind, endpoint=fault.detail, delay_ms=fault.amount)
        if kind is FaultKind.WS_SILENCE:
            self._stage.exchange.silence_websockets()
        await asyncio.sleep(fault.for_ms / 1000)
        plan.remove(spec.id)
        self._stage.exchange.silence_websockets(False)
        return kind is FaultKind.WS_SILENCE or plan.injected.get(kind.value, 0) > before

    def armed_and_struck(self) -> dict[str, int]:
        """How often each kind of fault on a request struck."""
        injected = self._stage.exchange.faults.injected
        return {f"{_EXCHANGE}{kind}": count for kind, count in injected.items() if kind not in LASTING}

    async def _drop_streams(self, fault: Fault) -> bool:
        return self._stage.exchange.drop_websockets() > 0

    async def _step_clock(self, fault: Fault) -> bool:
        self._stage.exchange.skew(fault.amount)
        await asyncio.sleep(fault.for_ms / 1000 + 1.0)
        self._stage.exchange.skew(0)
        return True

    # --- the operator ---

    async def _halt(self, fault: Fault) -> bool:
        """Halted by way of the object, then Active again."""
        await self._stage.control(state="Halted")
        await self._stays_halted(fault)
        await self._stage.control()
        return True

    async def _halt_without_bus(self, fault: Fault) -> bool:
        """No server is left; each pod is told what `smarttrade halt` tells it by way of `kubectl exec`."""
        servers, names = self._stage.bus.servers, [name for name in NAMES if self._stage.alive(name)]
        await asyncio.gather(*(server.stop(kill=True) for server in servers))
        await asyncio.gather(*(self._tell_halt(name) for name in names))
        await self._stays_halted(fault)
        await asyncio.gather(*(server.start() for server in servers))
        await eventually(self._resumed, "the operator writes the specification", _TRAP_S * 4)
        return True

    async def _tell_halt(self, pod: str) -> None:
        """Repeated until it is answered: a container that has just started does not listen yet."""
        command = encode(Halt(generation=self._stage.generation + 1, by="chaos")).decode()
        environment = {**os.environ, SOCKET_VARIABLE: str(self._stage.socket_of(pod))}

        async def answered() -> bool:
            client = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                commands_client.__name__,
                command,
                env=environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            return await client.wait() == 0

        await eventually(answered, f"{pod} answers a halt by hand", _HALTED_S * 3)

    async def _stays_halted(self, fault: Fault) -> None:
        """Own orders go, and when what was under way has arrived, nothing new comes."""
        stage, began = self._stage, time.monotonic()
        while stage.open_orders():
            waited = time.monotonic() - began
            require(waited < _HALTED_S, "a halt cancels every own order", str(stage.open_orders()))
            await asyncio.sleep(0.02)
        await asyncio.sleep(_UNDER_WAY_S)
        before = stage.orders()
        await asyncio.sleep(fault.for_ms / 1000)
        new = stage.orders()[len(before) :] + stage.open_orders()
        require(not new, "nothing is sent while halted", str(new))

    async def _resumed(self) -> bool:
        try:
            await self._stage.control()
        except BusError:
            return False
        return True


def _giving(fate: Fate) -> Strike:
    async def strike() -> Fate:
        return fate

    return strike


_KINDS: dict[str, Callable[[Faults, Fault], Awaitable[bool]]] = {
    "kill": Faults._kill,
    "kill-both": Faults._kill_both,
    "terminate": Faults._terminate,
    "stop": Faults._stop,
    STOP_BEFORE_SEND: Faults._stop_before_send,
    KILL_BEFORE_SEND: Faults._kill_in_place,
    KILL_AFTER_ANSWER: Faults._kill_in_place,
    KILL_AFTER_CANCEL: Faults._kill_in_place,
    "stop-in-flight": Faults._stop_in_flight,
    "kill-in-flight": Faults._kill_in_flight,
    "lose-request": Faults._lose_request,
    "lose-answer": Faults._lose_answer,
    "delay-request": Faults._delay_request,
    "cut-bus": Faults._cut_bus,
    "cut-exchange": Faults._cut_exchange,
    "hang-evaluation": Faults._hang,
    "hang-monitoring": Faults._hang,
    "step-clock": Faults._step_clock,
    "drop-streams": Faults._drop_streams,
    "kill-server": Faults._kill_server,
    "stop-server": Faults._stop_server,
    "kill-stream-leader": Faults._kill_server,
    "partition-server": Faults._partition_server,
    "fill-disk": Faults._fill_disk,
    "halt": Faults._halt,
    "halt-without-bus": Faults._halt_without_bus,
}

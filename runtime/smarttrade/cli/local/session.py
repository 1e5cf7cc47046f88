"""One local run from its first process to its last.

Order matters twice: the observer listens before any container starts, so that no fill is missed, and all
stops in the reverse order, so that execution can still hand over, write its snapshot and cancel.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import socket
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from nats.aio.msg import Msg

from smarttrade import messages
from smarttrade.api import TradingAccount
from smarttrade.api.catalogue import Endpoint
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts, observer_credentials
from smarttrade.bus.connection import connect
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.cli.errors import EXIT_INTERRUPTED, EXIT_TIMEOUT
from smarttrade.cli.local import plan
from smarttrade.cli.local.children import Child, ChildFailed
from smarttrade.cli.local.manifest import ManifestFile
from smarttrade.cli.local.nats_binary import find_nats_server
from smarttrade.cli.local.options import Options
from smarttrade.cli.local.picture import Picture, describe_fill
from smarttrade.cli.local.screen import LiveScreen, PlainScreen, Screen, summarize
from smarttrade.cli.local.state import RunState
from smarttrade.errors import BusError, ConfigurationError

_TICK_S = 0.25
_CONTAINER_GRACE_S = 15.0
_SIMULATOR_GRACE_S = 5.0
_SIMULATOR_START_S = 60.0


async def run_account(options: Options) -> int:
    """Run until interrupted, timed out or full of fills; the exit code."""
    manifest = ManifestFile(options.file, options.source)
    plan.check_options(manifest.account.spec, options)
    identity = plan.identify(manifest.account)
    simulated = plan.is_simulated(manifest.account.spec, options)
    state = RunState(identity, options.state, temporary=simulated)
    screen: Screen = PlainScreen() if options.plain else LiveScreen(f"{identity.namespace}/{identity.name}")
    try:
        return await Session(options, manifest, state, screen).run()
    except ChildFailed:
        state.keep()
        screen.say(f"logs are in {state.logs}")
        raise
    finally:
        screen.close()
        state.close()


class Session:
    """The processes of one run and what is known of them."""

    def __init__(self, options: Options, manifest: ManifestFile, state: RunState, screen: Screen) -> None:
        self._options = options
        self._manifest = manifest
        self._state = state
        self._screen = screen
        self._identity = plan.identify(manifest.account)
        self._picture = Picture()
        self._children: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ports: dict[str, int] = {}
        self._simulator_ready = asyncio.Event()
        self._summary = "before anything was traded"
        self._deadline = time.monotonic() + options.timeout_s if options.timeout_s else None
        logging.basicConfig(filename=state.logs / "run.log", level=logging.INFO, force=True)

    async def run(self) -> int:
        work = asyncio.create_task(self._work())
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt, work, interrupted)
        try:
            code = await work
        except asyncio.CancelledError:
            code = EXIT_INTERRUPTED if self._options.until_fills else 0
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        self._screen.say(f"stopped: {self._summary}")
        return code

    def _interrupt(self, work: asyncio.Task[int], interrupted: asyncio.Event) -> None:
        """The first time in good order, the second time at once."""
        if interrupted.is_set():
            for child in self._children:
                child.kill()
            return
        interrupted.set()
        self._screen.say("stopping")
        work.cancel()

    async def _work(self) -> int:
        async with AsyncExitStack() as stack:
            server = await self._start_nats(stack)
            provisioner = await self._provision(stack, server.url)
            endpoint = await self._find_exchange(stack)
            await self._observe(stack, server.url)
            self._start_containers(stack, server.url, endpoint)
            try:
                return await self._watch(server, provisioner)
            finally:
                self._screen.show(self._picture, self._children)
                self._summary = summarize(self._picture)

    async def _start_nats(self, stack: AsyncExitStack) -> LocalServer:
        binary = await find_nats_server(self._screen.say)
        server = LocalServer(self._state.keys, self._state.nats, binary=binary)
        await stack.enter_async_context(server)
        self._screen.say(f"nats-server on {server.url}")
        return server

    async def _provision(self, stack: AsyncExitStack, url: str) -> Provisioner:
        provisioner = Provisioner(url, self._state.keys)
        await provisioner.connect()
        stack.push_async_callback(provisioner.close)
        pair = self._build_accounts()
        await provisioner.push(pair)
        await provisioner.ensure_assets(self._identity)
        for role, text in pair.credentials.items():
            self._state.write_secret(self._state.credentials, f"{role}.creds", text)
        self._state.write_secret(self._state.credentials, "orders.key", pair.order_key)
        await provisioner.serve_reports(self._reported)
        await self._apply(provisioner, self._manifest.account)
        return provisioner

    def _build_accounts(self) -> AccountPair:
        spec = self._manifest.account.spec
        limits = AccountLimits(pods=spec.replicas, orders=spec.risk.max_open_orders)
        return build_accounts(self._state.keys, self._identity, limits)

    async def _apply(self, provisioner: Provisioner, account: TradingAccount) -> None:
        self._picture.generation = self._state.next_generation()
        control = messages.AccountControl(
            generation=self._picture.generation,
            spec=account.spec.model_dump(mode="json", by_alias=True),
            written_ms=time.time_ns() // 1_000_000,
            strategy=self._manifest.strategy,
        )
        await provisioner.write_control(self._identity, control)

    async def _find_exchange(self, stack: AsyncExitStack) -> Endpoint:
        spec = self._manifest.account.spec
        if not plan.is_simulated(spec, self._options):
            return plan.choose_endpoint(spec, self._options)
        port = free_port()
        self._start_simulator(stack, port)
        try:
            async with asyncio.timeout(_SIMULATOR_START_S):
                await self._while_running(self._simulator_ready.wait())
        except TimeoutError as error:
            raise ChildFailed(
                f"the simulated exchange did not start within {_SIMULATOR_START_S:.0f} s"
            ) from error
        endpoint = plan.build_simulator_endpoint(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
        self._screen.say(f"simulated exchange on {endpoint.rest}")
        return endpoint

    def _start_simulator(self, stack: AsyncExitStack, port: int) -> None:
        config = plan.build_simulator_config(self._manifest.account, self._options, self._exchange_key())
        config |= {"port": port, "state": str(self._state.directory / "simulator")}
        path = self._state.write_secret(self._state.directory, "simulator.yaml", yaml.safe_dump(config))
        command = [*plan.PYTHON_MODULE, "smarttrade.simulator", "--config", str(path)]
        environment = plan.build_environment()
        self._start(
            stack, Child("simulator", command, environment, self._log("simulator"), self._simulator_said)
        )

    def _exchange_key(self) -> dict[str, str]:
        """Made up once: the simulated exchange knows nobody else."""
        key = {}
        for name in ("apiKey", "secret"):
            path = self._state.exchange_credentials / name
            if not path.exists():
                self._state.write_secret(self._state.exchange_credentials, name, secrets.token_hex(32))
            key[name] = path.read_text()
        return key

    def _simulator_said(self, line: str) -> None:
        if line.startswith('{"rest"'):
            self._simulator_ready.set()
        else:
            self._heard("simulator", line)

    async def _observe(self, stack: AsyncExitStack, url: str) -> None:
        credentials = observer_credentials(self._state.keys, self._identity)
        nc = await connect(
            url, name="observer", role="observer", credentials=credentials, on_closed=self._lost
        )
        stack.push_async_callback(nc.close)
        await nc.subscribe("market.*.quote", cb=self._quoted)
        await nc.subscribe("position.*", cb=self._positioned)
        await nc.subscribe("fill.*", cb=self._filled)
        await nc.flush()

    def _start_containers(self, stack: AsyncExitStack, nats_url: str, endpoint: Endpoint) -> None:
        account = self._manifest.account
        self._ports = {name: free_port() for name in plan.container_names(account)}
        world = plan.World(
            nats_url=nats_url,
            endpoint=endpoint,
            credentials=self._state.credentials,
            exchange_credentials=(self._options.credentials or self._state.exchange_credentials).resolve(),
        )
        containers = []
        for container in plan.build_containers(account, world, self._ports):
            name = container.name
            log = self._log(name.replace("/", "-"))
            child = Child(name, container.command, container.environment, log, partial(self._heard, name))
            self._run_child(child)
            containers.append(child)

        async def stop_all() -> None:
            await asyncio.gather(*(child.stop(_CONTAINER_GRACE_S) for child in containers))

        stack.push_async_callback(stop_all)
        self._screen.say(f"started {len(containers)} processes, logs in {self._state.logs}")

    def _start(self, stack: AsyncExitStack, child: Child) -> None:
        self._run_child(child)
        stack.push_async_callback(child.stop, _SIMULATOR_GRACE_S)

    def _run_child(self, child: Child) -> None:
        self._children.append(child)
        self._tasks.append(asyncio.create_task(child.keep_running(), name=child.name))

    async def _watch(self, server: LocalServer, provisioner: Provisioner) -> int:
        wanted = self._options.until_fills
        while True:
            await self._while_running(asyncio.sleep(_TICK_S))
            self._note_processes(server)
            if not server.running:
                self._screen.say("nats-server has ended, starting it again")
                await server.start()
            self._screen.show(self._picture, self._children)
            await self._follow_manifest(provisioner)
            if wanted and self._picture.fill_count >= wanted:
                return 0
            if self._deadline and time.monotonic() >= self._deadline:
                return EXIT_TIMEOUT if wanted else 0

    async def _while_running(self, what: Awaitable[Any]) -> None:
        """Wait for it; what ends a child for good ends the wait."""
        waiting = asyncio.ensure_future(what)
        try:
            done, _ = await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for task in done:
            if task is not waiting:
                task.result()

    async def _follow_manifest(self, provisioner: Provisioner) -> None:
        try:
            account = self._manifest.changed()
            if account:
                await self._apply(provisioner, account)
                self._screen.say(f"applied {self._options.file}, generation {self._picture.generation}")
        except (ConfigurationError, BusError) as error:
            self._screen.say(f"not applied: {error}")

    def _note_processes(self, server: LocalServer) -> None:
        processes: dict[str, dict[str, int | None]] = {
            child.name: {"pid": child.pid, "port": self._ports.get(child.name)} for child in self._children
        }
        processes["nats-server"] = {"pid": server.pid, "port": server.port}
        self._state.note_processes(processes)
        for child in self._children:
            pod, _, role = child.name.partition("/")
            if role == "execution" and child.pid is None:
                self._picture.drop_pod(pod)

    def _log(self, name: str) -> Path:
        return self._state.logs / f"{name}.log"

    def _heard(self, name: str, line: str) -> None:
        note = self._picture.add_log_line(name, line)
        if note and isinstance(self._screen, PlainScreen):
            self._screen.say(note)

    async def _lost(self) -> None:
        self._screen.say("the connection that watches the account is closed")

    async def _reported(self, token: str, role: str, report: messages.Report) -> None:
        self._picture.add_report(report)

    async def _quoted(self, message: Msg) -> None:
        batch: messages.MarketBatch = messages.decode(message.data, messages.MarketBatch)
        for event in batch.events:
            if isinstance(event, messages.Quote):
                self._picture.add_quote(event)

    async def _positioned(self, message: Msg) -> None:
        view: messages.AccountView = messages.decode(message.data, messages.AccountView)
        self._picture.add_view(message.subject.split(".")[1], view)

    async def _filled(self, message: Msg) -> None:
        told: messages.Fill | messages.DecisionOutcome = messages.decode(
            message.data, messages.Fill | messages.DecisionOutcome
        )
        if isinstance(told, messages.Fill) and self._picture.add_fill(told):
            self._screen.say(f"fill: {describe_fill(told)}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

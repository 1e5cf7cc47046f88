"""The configuration of a nats-server, and one as a child process for `smarttrade run` and for tests.

`sync_interval: always` is there always: by default an acknowledged write is on disk two minutes later, and an
order whose intent is lost can be sent twice. The server refuses JetStream once the sum of the accounts'
limits exceeds `max_file_store`, while still answering 200 to the push, so it is set high: it is a bound on
promises, not on use.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import signal
import subprocess
import sys
from pathlib import Path

from smarttrade.bus.accounts import build_static_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.errors import BusError

GIB = 1024**3
_PR_SET_PDEATHSIG = 1
# Loaded here because a child between fork and exec must not import.
_libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


def build_config(
    keys: OperatorKeys,
    *,
    store_dir: str,
    listen: str = "0.0.0.0:4222",
    monitor: str | None = None,
    server_name: str | None = None,
    cluster: str | None = None,
    max_file_store: int = 512 * GIB,
    max_memory_store: int = 2 * GIB,
    tls: str | None = None,
    extra: str = "",
) -> str:
    """The text of nats.conf: operator mode, full resolver, JetStream that syncs every write.

    `cluster` is the inside of a `cluster {}` block; `server_name` may be a variable such as `$POD_NAME`.
    `tls` is the folder with ca.crt, tls.crt and tls.key: clients and other servers are then served by TLS
    only, and servers show each other their certificates.
    """
    preload = "".join(f"  {public}: {token}\n" for public, token in build_static_accounts(keys).items())
    system = keys.account("system").public
    secured = _build_tls(tls) if tls else ""
    return "".join(
        [
            f"listen: {listen}\n",
            f"server_name: {server_name}\n" if server_name else "",
            f"http: {monitor}\n" if monitor else "",
            f"operator: {keys.operator_jwt}\nsystem_account: {system}\n",
            f'resolver {{ type: full, dir: "{store_dir}/jwt", allow_delete: true, '
            # A server that was away has the accounts as they are after one interval, and not before.
            'interval: "5s", timeout: "1.9s" }\n',
            f"resolver_preload {{\n{preload}}}\n",
            f'jetstream {{ store_dir: "{store_dir}", sync_interval: always, '
            f"max_file_store: {max_file_store}, max_memory_store: {max_memory_store} }}\n",
            "max_payload: 1048576\nping_interval: 2s\nping_max: 3\n",
            "lame_duck_duration: 30s\nlame_duck_grace_period: 2s\n",
            secured,
            f"cluster {{\n{cluster}\n{secured}}}\n" if cluster else "",
            extra,
        ]
    )


def _build_tls(folder: str) -> str:
    files = {"cert_file": "tls.crt", "key_file": "tls.key", "ca_file": "ca.crt"}
    words = ", ".join(f'{option}: "{folder}/{file}"' for option, file in files.items())
    return f"tls {{ {words}, timeout: 2 }}\n"


class LocalServer:
    """A nats-server on the loopback interface; `async with` starts and stops it.

    Port 0 takes a free one at the first start and keeps it over restarts.
    """

    def __init__(
        self,
        keys: OperatorKeys,
        store_dir: Path,
        port: int = 0,
        *,
        binary: Path | str = "nats-server",
        server_name: str | None = None,
        cluster: str | None = None,
        tls: Path | None = None,
    ) -> None:
        self._keys = keys
        self.store_dir = Path(store_dir)
        self.port = port
        self._binary = str(binary)
        self._server_name = server_name
        self._cluster = cluster
        self.tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'tls' if self.tls else 'nats'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise BusError("the local nats-server has not been started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        return self.store_dir / "nats-server.log"

    async def __aenter__(self) -> LocalServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, timeout_s: float = 15.0) -> None:
        """Return when it accepts connections; BusError with its last lines of log when it ends instead."""
        self.store_dir.mkdir(parents=True, exist_ok=True)
        config = self.store_dir / "nats.conf"
        listen = f"127.0.0.1:{self.port or -1}"
        config.write_text(
            build_config(
                self._keys,
                store_dir=str(self.store_dir),
                listen=listen,
                server_name=self._server_name,
                cluster=self._cluster,
                tls=str(self.tls) if self.tls else None,
            )
        )
        config.chmod(0o600)
        self._process = self._spawn(config)
        try:
            async with asyncio.timeout(timeout_s):
                self.port = await self._wait_for_port()
                await self._wait_for_listener()
        except asyncio.CancelledError:
            await self.stop(kill=True)
            raise
        except TimeoutError as error:
            await self.stop()
            raise BusError(
                f"nats-server did not start within {timeout_s:.0f} s: see {self.log_path}"
            ) from error

    async def stop(self, *, kill: bool = False) -> None:
        """End it: SIGTERM (SIGKILL when it does not listen within 5 s), or SIGKILL at once."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _spawn(self, config: Path) -> subprocess.Popen[bytes]:
        for stale in self.store_dir.glob("*.ports"):
            stale.unlink()
        command = [self._binary, "-c", str(config), "--ports_file_dir", str(self.store_dir)]
        try:
            with self.log_path.open("ab") as log:
                # Its own session: Ctrl-C in the terminal must reach it last, through `stop`.
                return subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=die_with_parent,
                    start_new_session=True,
                )
        except OSError as error:
            raise BusError(
                f"cannot run {self._binary}: {error.strerror}. Give the path of nats-server 2.14 or newer"
            ) from error

    async def _wait_for_port(self) -> int:
        while True:
            self._raise_if_ended()
            for path in self.store_dir.glob("*.ports"):
                text = path.read_text()
                if text.strip().endswith("}"):
                    return int(json.loads(text)["nats"][0].rsplit(":", 1)[1])
            await asyncio.sleep(0.02)

    async def _wait_for_listener(self) -> None:
        while True:
            self._raise_if_ended()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return

    def _raise_if_ended(self) -> None:
        if self._process is None or self._process.poll() is not None:
            tail = self.log_path.read_text(errors="replace").splitlines()[-5:]
            raise BusError("nats-server ended at its start:\n" + "\n".join(tail))


def die_with_parent() -> None:
    """In a child before exec: let Linux end it when its parent is killed, so that no orphan trades on."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

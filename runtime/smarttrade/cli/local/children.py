"""Child processes that live no longer than this one, are restarted when they fail, and write where asked.

Each has a session of its own, so that Ctrl-C in the terminal reaches only us; Linux ends it when we are
killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from smarttrade.bus.server import die_with_parent
from smarttrade.errors import ConfigurationError, SmartTradeError

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 15.0
_STABLE_S = 30.0
# Failures in a row after which a restart no longer helps.
_PATIENCE = 6
_LINE_LIMIT = 1024 * 1024


class ChildFailed(SmartTradeError):  # noqa: N818
    """A process that cannot do its work; the last line it wrote says why."""


class Child:
    """One process that is kept running until `stop`."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        heard: Callable[[str], None],
    ) -> None:
        self.name = name
        self.restarts = 0
        self.exit_code: int | None = None
        self._command = command
        self._environment = dict(environment)
        self._log = log
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._last_line = ""

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def keep_running(self) -> None:
        """Until `stop`; ChildFailed for a wrong configuration and for failing again and again."""
        failures, loop = 0, asyncio.get_running_loop()
        while not self._stopping:
            started = loop.time()
            self.exit_code = await self._run_once()
            if self._stopping:
                return
            failures = 1 if loop.time() - started > _STABLE_S else failures + 1
            if self.exit_code == ConfigurationError.exit_code or failures >= _PATIENCE:
                raise ChildFailed(
                    f"{self.name} ended with code {self.exit_code}: {self._last_line or 'no word'}"
                )
            self.restarts += 1
            await asyncio.sleep(min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** (failures - 1)))

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after the grace period."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def kill(self) -> None:
        """At once."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _run_once(self) -> int:
        with self._log.open("ab", buffering=0) as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
                limit=_LINE_LIMIT,
            )
            if self._process.stdout is None:
                raise SmartTradeError(f"{self.name} has no output")
            async for raw in self._process.stdout:
                log.write(raw)
                self._last_line = raw.decode(errors="replace").rstrip()
                self._heard(self._last_line)
            return await self._process.wait()

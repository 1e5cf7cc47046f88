"""Finds a nats-server: on the PATH, in the cache folder, or built into it by Go.

Older servers than 2.14 let one tenant purge another's streams, so they are passed over.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from smarttrade.errors import ConfigurationError

VERSION = "2.15.2"
OLDEST = (2, 14)

_NAME = "nats-server"


def cache_folder() -> Path:
    """Where everything that was built or fetched for SmartTrade is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "smarttrade"


async def find_nats_server(say: Callable[[str], None]) -> Path:
    """The executable; ConfigurationError says what to install when there is no way to get one."""
    installed = await asyncio.to_thread(_find_installed)
    if installed:
        return installed
    cached = cache_folder() / "bin" / f"{_NAME}-{VERSION}" / _NAME
    if not cached.exists():
        await _build(cached, say)
    return cached


def _find_installed() -> Path | None:
    on_path = shutil.which(_NAME)
    return Path(on_path) if on_path and is_recent(Path(on_path)) else None


def is_recent(binary: Path) -> bool:
    """It runs and is of a version that keeps tenants apart."""
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return parse_version(answer.stdout) >= OLDEST


def parse_version(text: str) -> tuple[int, ...]:
    """(major, minor) of `nats-server: v2.15.2`; () when there is none."""
    found = re.search(r"v(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else ()


async def _build(target: Path, say: Callable[[str], None]) -> None:
    go = shutil.which("go")
    if go is None:
        raise ConfigurationError(
            f"nats-server {OLDEST[0]}.{OLDEST[1]} or newer is needed and is not on the PATH: install it from "
            "https://nats.io/download, or install Go, with which it is built once"
        )
    say(f"building nats-server {VERSION}, once (a minute or two)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        process = await asyncio.create_subprocess_exec(
            go,
            "install",
            f"github.com/nats-io/nats-server/v2@v{VERSION}",
            env={**os.environ, "GOBIN": folder, "CGO_ENABLED": "0"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, errors = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if process.returncode:
            reason = errors.decode(errors="replace").strip().splitlines()[-1:] or ["unknown error"]
            raise ConfigurationError(f"nats-server could not be built: {reason[0]}. Put one on the PATH")
        # One rename, so that a build that was interrupted leaves nothing half made.
        (Path(folder) / _NAME).replace(target)

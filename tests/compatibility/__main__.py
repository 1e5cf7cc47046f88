"""`python -m tests.compatibility [CLIENT...]`: installs each client from PyPI and lets it trade.

Every client lives in a virtual environment of its own in the cache and talks to a simulator with 3,000
symbols, the real limits of weight and a synthetic market a minute a second. Not a part of `make test`: it
needs PyPI and minutes. The exit code is 1 where a step failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

CLIENTS = {
    "python-binance": ["python-binance"],
    "binance-connector": ["binance-connector"],
    "binance-sdk-spot": ["binance-sdk-spot"],
    "unicorn-binance": ["unicorn-binance-websocket-api"],
    "freqtrade": ["freqtrade"],
}
FOLDER = Path(__file__).resolve().parent
PATIENCE_S = 400
CONFIG = """
admin_token: compatibility
symbols: [BTC/USDT, ETH/USDT, BNB/USDT]
compress: 60
listed: 3000
weight_limit: 6000
users:
  - {name: alice, key: alice-key, secret: alice-secret, balances: {USDT: "100000", BTC: "1"}}
"""


@contextmanager
def simulator(directory: Path) -> Iterator[dict[str, str]]:
    """A running simulator's addresses."""
    config = directory / "simulator.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "smarttrade.simulator", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def client_python(name: str) -> Path:
    """The interpreter of a client's environment, made where it is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "smarttrade"
    folder = cache / "compatibility" / name
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *CLIENTS[name]], check=True)
        (folder / "complete").touch()
    return python


def run(name: str) -> list[dict[str, Any]]:
    """The steps of one client."""
    python = client_python(name)
    with tempfile.TemporaryDirectory() as scratch, simulator(Path(scratch)) as addresses:
        command = [str(python), str(FOLDER / "clients" / f"{name.replace('-', '_')}_client.py")]
        command += [addresses["rest"], addresses["ws"]]
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    steps = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    if done.returncode:
        steps.append({"step": "the script", "ok": False, "detail": done.stderr[-500:]})
    return steps


def version(name: str) -> str:
    code = f"from importlib.metadata import version; print(version({CLIENTS[name][0]!r}))"
    answer = subprocess.run(
        [str(client_python(name)), "-c", code], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(CLIENTS))
    if unknown:
        print(f"no client {', '.join(unknown)}; there is: {', '.join(CLIENTS)}", file=sys.stderr)
        return 2
    table, failed = Table("client", "version", "steps", "failed"), 0
    for name in names or CLIENTS:
        steps = run(name)
        wrong = [f"{step['step']}: {step['detail']}" for step in steps if not step["ok"]]
        failed += len(wrong) + (not steps)
        table.add_row(name, version(name), str(len(steps)), "\n".join(wrong) or "-")
    Console().print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.compatibility [CLIENT...]`: installs each from its registry and lets it trade.

Every client lives in an environment of its own in the cache and talks to a simulator with 3,000 symbols, the
real limits of weight and a synthetic market a minute a second. Not a part of `make test`: it needs registries
(and Node and Go for two of the clients) and minutes. The exit code is 1 where a step failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.compatibility.installing import GoClient, NodeClient, PythonClient

CLIENTS: dict[str, PythonClient | NodeClient | GoClient] = {
    "python-binance": PythonClient(("python-binance",)),
    "binance-connector": PythonClient(("binance-connector",)),
    "binance-sdk-spot": PythonClient(("binance-sdk-spot",)),
    "unicorn-binance": PythonClient(("unicorn-binance-websocket-api",)),
    "node-binance": NodeClient("binance"),
    "go-binance": GoClient("github.com/adshao/go-binance/v2"),
    "freqtrade": PythonClient(("freqtrade",)),
}
PATIENCE_S = 700
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


def run(name: str) -> list[dict[str, Any]]:
    """The steps of one client."""
    command = CLIENTS[name].command(name)
    with tempfile.TemporaryDirectory() as scratch, simulator(Path(scratch)) as addresses:
        command += [addresses["rest"], addresses["ws"]]
        try:
            done = subprocess.run(
                command, cwd=scratch, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return [{"step": "the script", "ok": False, "detail": f"did not end within {PATIENCE_S} s"}]
    steps = [
        json.loads(line) for line in done.stdout.splitlines() if line.startswith("{") and '"step"' in line
    ]
    if done.returncode:
        steps.append({"step": "the script", "ok": False, "detail": done.stderr[-500:]})
    return steps


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
        print(f"{name}: {len(steps)} steps, {len(wrong)} failed", file=sys.stderr)
        table.add_row(name, CLIENTS[name].version(name), str(len(steps)), "\n".join(wrong) or "-")
    Console().print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

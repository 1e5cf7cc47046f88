"""`smarttrade run` from its command line to filled orders: real nats-server, simulator and containers."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PATIENCE_S = 120.0


class Run:
    """One `smarttrade run` and what it has printed so far."""

    def __init__(self, manifest: Path, state: Path, nats_server: Path, *options: str) -> None:
        command = [sys.executable, "-m", "smarttrade.cli.main", "run", str(manifest), *options]
        self._begin(command, state, nats_server)

    @classmethod
    def of(cls, command: list[str], state: Path, nats_server: Path) -> "Run":
        """One that a command line as people write it has begun."""
        run = cls.__new__(cls)
        run._begin(command, state, nats_server)
        return run

    def _begin(self, command: list[str], state: Path, nats_server: Path) -> None:
        environment = os.environ | {"PATH": f"{nats_server.parent}{os.pathsep}{os.environ['PATH']}"}
        self.state = state
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*command, "--state", str(state)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def fills(self) -> int:
        return sum(" fill: " in line for line in self.lines)

    @property
    def leader(self) -> str:
        found = re.findall(r"leader: (\S+)", self.output)
        return found[-1] if found and found[-1] != "nobody" else ""

    def processes(self) -> dict[str, int]:
        path = self.state / "processes.json"
        noted = json.loads(path.read_text()) if path.exists() else {}
        return {name: entry["pid"] for name, entry in noted.items() if entry["pid"]}

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}\n{self.output}"
            assert self.process.poll() is None, f"ended before {what}\n{self.output}"
            time.sleep(0.1)

    def finish(self) -> int:
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=10)
        return code


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, queue = set(), [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.add(child)
            queue.append(child)
    return found


@pytest.fixture
def start(nats_server_binary: Path, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(manifest: Path, *options: str) -> Run:
        runs.append(Run(manifest, tmp_path / "state", nats_server_binary, *options))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def test_alice_trades_and_the_run_ends_by_itself(start: Callable[..., Run]):
    run = start(EXAMPLES / "alice.yaml", "--until-fills", "2", "--timeout", str(PATIENCE_S))
    assert run.finish() == 0, run.output
    assert run.fills >= 2
    assert re.search(r"stopped: Active, .* fills", run.output), run.output


def test_ctrl_c_leaves_no_process_behind(start: Callable[..., Run]):
    run = start(EXAMPLES / "alice.yaml")
    run.wait_for(lambda: run.leader, "a leader")
    children = descendants(run.process.pid)
    assert len(children) >= 8, "nats-server, the simulator and six containers"
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == 0, run.output
    assert [pid for pid in children if is_alive(pid)] == []


def test_a_killed_run_takes_its_children_along(start: Callable[..., Run]):
    run = start(EXAMPLES / "bob.yaml")
    run.wait_for(lambda: len(run.processes()) == 5, "all processes")
    children = descendants(run.process.pid)
    run.process.kill()
    run.finish()
    deadline = time.monotonic() + 20
    while any(is_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in children if is_alive(pid)] == []


def test_when_the_leading_execution_is_killed_the_other_replica_fills(start: Callable[..., Run]):
    run = start(EXAMPLES / "alice.yaml")
    run.wait_for(lambda: run.fills and run.leader, "a first fill")
    first = run.leader
    os.kill(run.processes()[f"{first}/execution"], signal.SIGKILL)
    run.wait_for(lambda: run.leader and run.leader != first, "the other replica leads")
    before = run.fills
    run.wait_for(lambda: run.fills > before, "the other replica fills")
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == 0


def test_a_killed_nats_server_is_started_again_and_trading_goes_on(start: Callable[..., Run]):
    run = start(EXAMPLES / "bob.yaml")
    run.wait_for(lambda: run.fills, "a first fill")
    os.kill(run.processes()["nats-server"], signal.SIGKILL)
    run.wait_for(lambda: "starting it again" in run.output, "it is noticed")
    before = run.fills
    run.wait_for(lambda: run.fills > before, "fills go on")
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == 0


def test_saving_the_manifest_takes_effect_at_once(start: Callable[..., Run], tmp_path: Path):
    manifest = tmp_path / "bob.yaml"
    text = (EXAMPLES / "bob.yaml").read_text()
    manifest.write_text(text)
    run = start(manifest)
    run.wait_for(lambda: run.fills, "a first fill")
    manifest.write_text(text.replace("state: Active", "state: Halted"))
    run.wait_for(lambda: "applied" in run.output and "generation 2" in run.output, "the change is applied")
    run.wait_for(lambda: "Halted, " in run.output, "the account is halted")
    manifest.write_text(text.replace("state: Active", "state: Asleep"))
    run.wait_for(lambda: "not applied" in run.output, "the mistake is told")
    assert "spec.state" in run.output
    manifest.write_text(text.replace("replicas: 1", "replicas: 2"))
    run.wait_for(lambda: "spec.replicas cannot change" in run.output, "what cannot change is told")
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == 0


def test_fills_that_do_not_come_in_time_are_code_4(start: Callable[..., Run], tmp_path: Path):
    manifest = tmp_path / "paused.yaml"
    manifest.write_text((EXAMPLES / "bob.yaml").read_text().replace("state: Active", "state: Paused"))
    run = start(manifest, "--until-fills", "1", "--timeout", "15")
    assert run.finish() == 4, run.output
    assert run.fills == 0


def test_a_strategy_that_cannot_start_ends_the_run_with_its_reason(start: Callable[..., Run], tmp_path: Path):
    manifest = tmp_path / "wrong.yaml"
    manifest.write_text((EXAMPLES / "bob.yaml").read_text().replace("fast: 4", "fast: 40"))
    run = start(manifest, "--timeout", "60")
    run.wait_for(lambda: "fast (40) must be smaller than slow (12)" in run.output, "the reason is shown")


def test_candles_from_a_file_are_replayed(start: Callable[..., Run], tmp_path: Path):
    rows = ["timestamp,open,high,low,close,volume"]
    for minute in range(600):
        price = 100 + 10 * ((minute // 12) % 2) + (minute % 12) * (1 if (minute // 12) % 2 == 0 else -1)
        moment = 1_700_000_000_000 // 60_000 * 60_000 + minute * 60_000
        rows.append(f"{moment},{price},{price + 1},{price - 1},{price},50")
    data = tmp_path / "candles.csv"
    data.write_text("\n".join(rows) + "\n")
    run = start(
        EXAMPLES / "bob.yaml",
        "--data",
        str(data),
        "--compress",
        "60",
        "--until-fills",
        "1",
        "--timeout",
        "90",
    )
    assert run.finish() == 0, run.output
    assert re.search(r"fill: \w+ \S+ BTC/USDT at (9\d|1[0-3]\d)\b", run.output), run.output

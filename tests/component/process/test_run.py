"""Whole child processes, because what counts is the exit code, the signal and what is left on the output."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.unit.process.test_settings import COMPLETE

PRELUDE = """
import asyncio, sys
from smarttrade.errors import *
from smarttrade.process import run
class Service:
    def __init__(self, settings, probes):
        self.probes = probes
        probes.ready("nats", True)
        print("port", probes.bound_port, flush=True)
    async def drain(self):
        print("drained", flush=True)
"""

SERVING = "    async def run(self):\n        await asyncio.Event().wait()\n"


def start(body: str, **environment: str) -> subprocess.Popen[str]:
    program = PRELUDE + body + '\nrun.main("execution", Service)\n'
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | COMPLETE | {"SMARTTRADE_PORT": "0", "SMARTTRADE_HOST": "127.0.0.1"} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    output, _ = process.communicate(timeout=60)
    return process.returncode, output.splitlines()


def get(port: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ('ConfigurationError("no key")', 2),
        ('BusError("refused")', 3),
        ('VenueError("gone")', 1),
        ('ValueError("bug")', 1),
    ],
)
def test_what_ends_a_service_is_its_exit_code_and_one_critical_line(raised: str, code: int):
    returncode, lines = finish(start(f"    async def run(self):\n        raise {raised}\n"))
    assert returncode == code
    critical = [line for line in map(json.loads, lines[1:]) if line["level"] == "critical"]
    assert len(critical) == 1
    assert critical[0]["component"] == "execution"


def test_a_service_that_just_returns_has_failed():
    assert finish(start("    async def run(self):\n        pass\n"))[0] == 1


def test_a_wrong_environment_is_a_configuration_error():
    returncode, lines = finish(start(SERVING, SMARTTRADE_REPLICAS="many"))
    assert returncode == 2
    assert "SMARTTRADE_REPLICAS" in json.loads(lines[-1])["event"]


def test_a_nats_client_closed_for_good_ends_the_process_with_3():
    body = "    async def run(self):\n        await run.nats_closed()\n        await asyncio.Event().wait()\n"
    assert finish(start(body))[0] == 3


def test_sigterm_drains_and_exits_0():
    process = start(SERVING)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    returncode, lines = finish(process)
    assert returncode == 0
    assert "drained" in lines


def test_probes_and_metrics_answer():
    process = start(SERVING)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().split()[1]
        assert get(port, "/livez")[0] == 200
        assert get(port, "/readyz") == (200, "ok nats\n")
        assert "smarttrade_ready 1.0" in get(port, "/metrics")[1]
    finally:
        process.terminate()
        assert finish(process)[0] == 0


def test_not_ready_says_why():
    body = SERVING.replace("await", 'self.probes.ready("log", False, "reading")\n        await', 1)
    process = start(body)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().split()[1]
        deadline = time.monotonic() + 30
        while (answer := get(port, "/readyz"))[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert answer == (503, "ok nats\nnot log reading\n")
        assert get(port, "/livez")[0] == 200
    finally:
        process.terminate()
        finish(process)

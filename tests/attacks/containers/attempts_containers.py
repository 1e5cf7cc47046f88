"""What a user mounts or sends, taken in by the containers' own code: modules, a Secret, decisions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from smarttrade import messages
from smarttrade.errors import ConfigurationError
from smarttrade.execution import effects as fx
from smarttrade.execution import setup
from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.unit.execution.desk import Desk

MATRIX = Matrix()
MOUNTED, WIRE = "containers: what is mounted", "containers: messages"
NAMES, TEXT, HIGH_WATER = "module names", "key is one line", "high-water mark"
RECURSION, SINGLE_USE = "depth of nesting", "client order ids are used once"
FLOOD, PRINTS = 100_000, "bounded output"
_FLOOD = """
import sys
from smarttrade.process import output
if sys.argv[1] == "on":
    output.bound_prints({})
for number in range(int(sys.argv[2])):
    print("strategy says", number)
"""
_READ = """
import sys
from pathlib import Path
from smarttrade import messages
from smarttrade.errors import BusError
if sys.argv[2] == "off":
    sys.setrecursionlimit(1_000_000)
try:
    messages.decode(Path(sys.argv[1]).read_bytes(), messages.Decision)
except BusError as error:
    sys.exit(str(error))
"""
_LOAD = """
import sys
from pathlib import Path
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation import loading
if sys.argv[2] == "off":
    loading._is_taken = lambda name: False
try:
    loading.load_module(Path(sys.argv[1]), "json")
except ConfigurationError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Place:
    """A folder as the kubelet mounts one, and the guards that are switched off."""

    folder: Path
    off: str = ""


@MATRIX.attempt(
    "replace-a-module",
    MOUNTED,
    "calls the ConfigMap's module like one that the platform itself imports",
    refusal="would replace a module that everything here uses",
    guard=NAMES,
)
def replace_a_module(place: Place) -> Outcome:
    (place.folder / "json.py").write_text("print('runs as json')\n")
    switch = "off" if place.off == NAMES else "on"
    command = [sys.executable, "-c", _LOAD, str(place.folder), switch]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return Succeeded(ended.stdout) if ended.returncode == 0 else Refused(ended.stderr)


@MATRIX.attempt(
    "garbage-as-key",
    MOUNTED,
    "puts a second header behind the API key in the exchange Secret",
    refusal="is not one line of plain characters",
    guard=TEXT,
)
def garbage_as_key(place: Place) -> Outcome:
    (place.folder / "apiKey").write_bytes(b"key\r\nX-Forwarded-For: 10.0.0.1")
    (place.folder / "secret").write_bytes(b"secret")
    try:
        with _trusting(place.off == TEXT):
            key = setup.read_credentials(place.folder).api_key
    except ConfigurationError as error:
        return Refused(str(error))
    return Succeeded(f"goes into each request: {key!r}")


@contextmanager
def _trusting(trusts: bool) -> Iterator[None]:
    """Takes the file's text for a key as it is."""
    if not trusts:
        yield
        return
    with patch.object(setup, "_read", lambda path, optional=False: _Unchecked(_read_any(path))):
        yield


class _Unchecked(str):
    def isprintable(self) -> bool:
        return True


def _read_any(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@MATRIX.attempt(
    "flood-the-log",
    MOUNTED,
    "prints 100,000 lines, to fill the node's disk and whatever collects logs",
    refusal="what is written now is dropped",
    guard=PRINTS,
)
def flood_the_log(place: Place) -> Outcome:
    switch = "off" if place.off == PRINTS else "on"
    command = [sys.executable, "-c", _FLOOD, switch, str(FLOOD)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    told = next((line for line in lines if "strategy says" not in line), "")
    return Succeeded(f"{len(lines)} lines") if len(lines) > FLOOD // 10 else Refused(told)


@MATRIX.attempt(
    "replayed-decision",
    WIRE,
    "sends a recorded decision to buy again after a newer one has closed the position",
    refusal="BelowHighWater",
    guard=f"{HIGH_WATER} + {SINGLE_USE}",
)
def replayed_decision(place: Place) -> Outcome:
    desk = Desk().lead()
    bought = desk.decision(_target(desk, "1"))
    _trade(desk, bought)
    _trade(desk, desk.decision(_target(desk, "0")))
    return _send_late(desk, bought, place)


@MATRIX.attempt(
    "withheld-decision",
    WIRE,
    "keeps a decision to buy back until a newer one has been acted on",
    refusal="BelowHighWater",
    guard=HIGH_WATER,
)
def withheld_decision(place: Place) -> Outcome:
    desk = Desk().lead()
    withheld = desk.decision(_target(desk, "2"))
    _trade(desk, desk.decision(_target(desk, "1")))
    return _send_late(desk, withheld, place)


def _send_late(desk: Desk, decision: messages.Decision, place: Place) -> Outcome:
    book = desk.core.ctx.book
    if HIGH_WATER in place.off:
        book.market(decision.market).high_water.clear()
    if SINGLE_USE in place.off:
        book.orders.clear()
    desk.send(decision, token=2)
    [reply] = [reply.reply for reply in desk.take(fx.Reply) if reply.token == 2]
    if reply.answer is messages.Answer.ACCEPTED:
        return Succeeded("it is traded on")
    return Refused(f"{reply.code}: {reply.message}")


def _trade(desk: Desk, decision: messages.Decision) -> None:
    """Until it is filled."""
    desk.send(decision)
    [sent] = desk.sends()
    desk.accept(sent.cid)
    desk.fill(sent.cid)


def _target(desk: Desk, quantity: str) -> messages.Target:
    return messages.Target(quantity=Decimal(quantity), valid_until_ms=desk.exchange_ms() + 60_000)


@MATRIX.attempt(
    "deep-nesting",
    WIRE,
    "hides 100,000 nested lists in a field that nobody knows",
    refusal="maximum recursion depth exceeded",
    guard=RECURSION,
)
def deep_nesting(place: Place) -> Outcome:
    """In a process of its own, which does not survive where the depth is not limited."""
    desk = Desk().lead()
    decision = messages.encode(desk.decision(_target(desk, "1")))
    nested = b"[" * 100_000 + b"]" * 100_000
    (place.folder / "decision").write_bytes(decision[:-1] + b',"more":' + nested + b"}")
    switch = "off" if place.off == RECURSION else "on"
    command = [sys.executable, "-c", _READ, str(place.folder / "decision"), switch]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode == 1:
        return Refused(ended.stderr)
    return Succeeded(f"it is read, or ends the process: {ended.returncode}")

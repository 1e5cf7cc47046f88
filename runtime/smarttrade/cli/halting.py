"""`smarttrade halt`: by way of the object, and where that is not confirmed within 2 s, by way of the pods.

The object is changed first, because it is what lasts: whatever restarts later reads it. Operator and NATS
carry it to the pods in a fraction of a second; where one of them is down, every pod's execution is told
directly, and cancels at the exchange by itself. What is printed is what was seen, pod by pod; what was not
is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from smarttrade.cli.errors import EXIT_UNKNOWN
from smarttrade.cli.objects import Accounts
from smarttrade.cli.pods import Pods
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.execution.commands_wire import Answer, Halt, Result

CONFIRM_S = 2.0
_LOOK_S = 0.1
HALTED = "Halted"


@dataclass(frozen=True, slots=True)
class Patched:
    """The object after the change; generation 0 where it could not be changed, because of `error`."""

    generation: int
    message: str
    spec: dict[str, Any] = field(default_factory=dict)
    error: SmartTradeError | None = None


def halt_account(accounts: Accounts, name: str, namespace: str | None, say: Callable[[str], None]) -> int:
    """Halt; the exit code: 0 when it is known that the account is halted, else EXIT_UNKNOWN.

    ConfigurationError: there is neither such an object nor a pod of it.
    """
    patched = _patch(accounts, name, namespace)
    say(patched.message)
    if patched.generation and _is_confirmed(accounts, name, namespace, patched.generation):
        say("confirmed: the account's execution says Halted; its own orders are cancelled within a second")
        return 0
    if patched.generation:
        say(f"not confirmed within {CONFIRM_S:.0f} s: going into the pods")
    return _halt_pods(accounts, name, namespace, patched, say)


def _patch(accounts: Accounts, name: str, namespace: str | None) -> Patched:
    try:
        after = accounts.patch(name, namespace, {"spec": {"state": HALTED}})
    except SmartTradeError as error:
        text = (
            f"NOT changed: {error}. Going into the pods: what they are told there ends with the object's "
            "next change"
        )
        return Patched(0, text, error=error)
    generation = int(after["metadata"]["generation"])
    where = f"{after['metadata']['namespace']}/{name}"
    text = f"{where}: spec.state is Halted (generation {generation})"
    return Patched(generation, text, after["spec"])


def _is_confirmed(accounts: Accounts, name: str, namespace: str | None, generation: int) -> bool:
    until = time.monotonic() + CONFIRM_S
    while time.monotonic() < until:
        try:
            status = accounts.read(name, namespace).get("status") or {}
        except SmartTradeError:
            return False
        if says_halted(status, generation):
            return True
        time.sleep(_LOOK_S)
    return False


def says_halted(status: dict[str, Any], generation: int) -> bool:
    """Whether the pods have reported that they run this generation, halted, and still speak."""
    applied: dict[str, Any] = next(
        (c for c in status.get("conditions") or [] if c.get("type") == "ConfigApplied"), {}
    )
    return (
        status.get("effectiveState") == HALTED
        and applied.get("status") == "True"
        and int(applied.get("observedGeneration") or 0) >= generation
    )


def _halt_pods(
    accounts: Accounts, name: str, namespace: str | None, patched: Patched, say: Callable[[str], None]
) -> int:
    pods = Pods(accounts, name, namespace)
    names = pods.names()
    if not names:
        if isinstance(patched.error, ConfigurationError):
            raise patched.error
        say("no pod of the account runs: nothing trades; orders that rest at the exchange stay there")
        return EXIT_UNKNOWN
    command = Halt(generation=patched.generation, spec=patched.spec, by=accounts.whoami())
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        answers = list(pool.map(lambda pod: _ask(pods, pod, command), names))
    for pod, answer in zip(names, answers, strict=True):
        for line in describe(pod, answer):
            say(line)
    known = [isinstance(answer, Answer) and answer.result is Result.DONE for answer in answers]
    if all(known):
        say("halted: every pod has stopped, and the exchange shows no own order open")
        return 0
    say("NOT known to be halted everywhere: repeat the command, and look at the exchange")
    return EXIT_UNKNOWN


def _ask(pods: Pods, pod: str, command: Halt) -> Answer | str:
    try:
        return pods.ask(pod, command)
    except SmartTradeError as error:
        return str(error)


def describe(pod: str, answer: Answer | str) -> list[str]:
    """One pod's answer in lines."""
    if isinstance(answer, str):
        return [f"{pod}: UNKNOWN, {answer}"]
    if answer.message:
        return [f"{pod}: {answer.result}, {answer.message}"]
    lead = "the leader" if answer.leading else "standby"
    head = f"{pod} ({lead}): {answer.state}, {answer.result}"
    return [head, *(f"  {line.subject}: {line.result}, {line.message}" for line in answer.lines)]

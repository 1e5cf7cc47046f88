"""Malformed, oversized, nested and implausible input for every consumer of what others send.

`python -m tests.attacks.fuzz` gives each consumer its share of 10^6 inputs. A consumer may take an input or
refuse it with the errors of its own; anything else is a crash, and memory that keeps growing is a leak. They
are mutations of valid input, by a seeded generator: the seed finds each of them again.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import random
import sys
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
LARGEST_GROWTH = 48 * MIB
_PAGE = os.sysconf("SC_PAGE_SIZE")
NUMBERS = (
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1e999999",
    "-1e999999",
    "1e-999999",
    "-0",
    "0E+60",
    "9" * 400,
)
INTEGERS = (-1, 0, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64, 10**400)
TEXTS = (
    "",
    "\x00",
    "\ud800",
    "../../../etc/passwd",
    "{{7*7}}",
    "$(id)",
    "\u0412TC/USDT",
    "smarttrade/flatten",
    "x" * 70_000,
)
ODD: tuple[Any, ...] = (None, True, [], {}, [[]], 1.5, 1e308, *NUMBERS, *INTEGERS, *TEXTS)
NESTED = (b"[" * 50_000, b'{"a":' * 50_000, b"[" * 3_000 + b"]" * 3_000)


@dataclass(frozen=True)
class Consumer:
    """`take` is given bytes; it may raise `refuses` and nothing else. `weight` is its share of the inputs."""

    name: str
    seeds: tuple[bytes, ...]
    take: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    weight: int = 10


class CrashError(AssertionError):
    """An input that a consumer neither takes nor refuses."""


def mutate(seed: bytes, dice: random.Random) -> bytes:
    """One input: bytes changed, or values replaced, or structure broken."""
    way = dice.random()
    if way < 0.55:
        return _with_odd_values(seed, dice)
    if way < 0.95:
        return _with_changed_bytes(seed, dice)
    return _nested(seed, dice)


def _with_odd_values(seed: bytes, dice: random.Random) -> bytes:
    try:
        document = json.loads(seed)
    except ValueError:
        return _with_changed_bytes(seed, dice)
    for _ in range(dice.randint(1, 3)):
        holder, key = dice.choice(list(_places(document)) or [({}, "")])
        if dice.random() < 0.15 and isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = deepcopy(dice.choice(ODD))
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _places(document: Any) -> Iterable[tuple[Any, Any]]:
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(document, dict):
        pairs = list(document.items())
    elif isinstance(document, list):
        pairs = list(enumerate(document))
    for key, value in pairs:
        yield document, key
        yield from _places(value)


def _with_changed_bytes(seed: bytes, dice: random.Random) -> bytes:
    changed = bytearray(seed)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed) + 1)
        change = dice.random()
        if change < 0.3:
            changed[at : at + 1] = bytes([dice.randrange(256)])
        elif change < 0.5:
            del changed[at : at + dice.randint(1, 20)]
        elif change < 0.7:
            changed[at:at] = dice.choice(
                (b"\x00", b"\xff\xfe", b'"', b"{", b"}", b"[", b",", b"1e999999", b"NaN")
            )
        elif change < 0.9:
            changed[at:at] = changed[: dice.randint(1, 40)]
        else:
            del changed[at:]
    return bytes(changed)


def _nested(seed: bytes, dice: random.Random) -> bytes:
    at = seed.rfind(b"}")
    return (
        seed[:at] + b',"more":' + dice.choice(NESTED) + seed[at:]
        if dice.random() < 0.8
        else dice.choice(NESTED)
    )


def run(consumers: list[Consumer], inputs: int, seed: int) -> dict[str, tuple[int, int]]:
    """Name -> (taken, refused). CrashError with the input that crashed; AssertionError for a leak."""
    shares = sum(consumer.weight for consumer in consumers)
    counts = {}
    for consumer in consumers:
        wanted = -(-inputs * consumer.weight // shares)  # rounded up: never fewer in all than asked for
        counts[consumer.name] = _give(consumer, wanted, random.Random(f"{seed} {consumer.name}"))
    return counts


def _give(consumer: Consumer, inputs: int, dice: random.Random) -> tuple[int, int]:
    taken, early = 0, 0
    for number in range(inputs):
        payload = mutate(dice.choice(consumer.seeds), dice)
        try:
            consumer.take(payload)
            taken += 1
        except consumer.refuses:
            pass
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
            raise CrashError(f"{consumer.name}, input {number}: {said}: {payload[:300]!r}") from error
        if number == inputs // 4:
            early = _resident()
    grown = _resident() - early
    if inputs >= 10_000 and grown > LARGEST_GROWTH:
        raise AssertionError(f"{consumer.name} keeps {grown // MIB} MiB of {inputs} inputs")
    return taken, inputs - taken


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def main(arguments: list[str]) -> int:
    from tests.attacks.consumers import CONSUMERS

    parser = argparse.ArgumentParser(prog="python -m tests.attacks.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    logging.disable()  # a consumer that ignores what it cannot read says so each time
    chosen = [consumer for consumer in CONSUMERS if options.only in consumer.name]
    counts = run(chosen, options.inputs, options.seed)
    for name, (taken, refused) in counts.items():
        print(f"{name:24} {taken:9,} taken {refused:9,} refused")
    print(f"{sum(taken + refused for taken, refused in counts.values()):,} inputs, no crash, no leak")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

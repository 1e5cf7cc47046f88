"""A strategy's modules as one value: the same for the same files, bounded, nothing but what was packed."""

import random
import zlib

import msgspec
import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.source import PACKED_LIMIT, pack, unpack

FILES = {"mine.py": "from smarttrade import Strategy\n", "mine.json": "{}"}


def test_what_is_packed_comes_out_and_its_name_tells_its_content() -> None:
    packed = pack("mine", FILES)
    assert unpack(packed) == FILES
    assert pack("mine", dict(reversed(FILES.items()))) == packed
    assert pack("mine", FILES | {"mine.py": ""}).name != packed.name
    assert packed.name.startswith("mine@")


def test_it_fits_a_decision_and_a_message_however_long_it_is() -> None:
    assert len(pack("m" * 253, {}).name) <= 256
    code = "".join(f"    value_{n} = self.mean_{n % 7}.update(candle.close) * {n}\n" for n in range(18_000))
    assert len(code) > 900_000
    assert len(msgspec.json.encode(pack("mine", {"mine.py": code}))) < 1_000_000


def test_what_no_message_holds_is_refused_with_its_size() -> None:
    noise = "".join(map(chr, random.Random(1).choices(range(32, 127), k=900_000)))
    with pytest.raises(ConfigurationError, match=f"ConfigMap mine is too large.*keep to {PACKED_LIMIT}"):
        pack("mine", {"mine.py": noise})


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (b"garbage", "cannot be unpacked"),
        (zlib.compress(b"[]"), "cannot be unpacked"),
        (zlib.compress(b" " * 2 * 1024 * 1024 + b"{}"), "cannot be unpacked"),
        (zlib.compress(b"{}"), "is not what was packed"),
        (pack("mine", {"../mine.py": ""}).packed, "is not what was packed"),
    ],
)
def test_a_value_that_nobody_packed_is_refused(packed: bytes, message: str) -> None:
    forged = msgspec.structs.replace(pack("mine", FILES), packed=packed)
    with pytest.raises(ConfigurationError, match=message):
        unpack(forged)


@pytest.mark.parametrize("name", ["../mine.py", "a/b.py", "..", "", "x\n"])
def test_a_file_goes_nowhere_but_into_its_folder(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no ConfigMap has a key"):
        unpack(pack("mine", {name: ""}))

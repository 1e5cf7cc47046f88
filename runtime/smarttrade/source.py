"""A strategy's modules as one value, which goes with the specification into the account's control value.

So what runs is what the log of the account names, whatever becomes of the ConfigMap or the folder that it was
read from, and a change needs no new pod.

What bites: it has to fit into one message of NATS beside the specification, and it is unpacked by a process
that nobody vouches for: its size is bounded both ways, and its names are those that a ConfigMap may have.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from smarttrade.errors import ConfigurationError
from smarttrade.messages import MALFORMED, StrategyVersion

# This becomes 683 KiB of the 1 MiB that a message may have; what a ConfigMap can hold packs to less unless it
# is no text.
PACKED_LIMIT = 512 * 1024
_UNPACKED_LIMIT = 2 * 1024 * 1024
_FILES = ("*.py", "*.json")
_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_decoder = msgspec.json.Decoder(dict[str, str])


def pack(config_map: str, files: Mapping[str, str]) -> StrategyVersion:
    """The version that these files are, by name; ConfigurationError if they are too much for a message."""
    written = msgspec.json.encode(dict(files), order="sorted")
    packed = zlib.compress(written, 9)
    if len(written) > _UNPACKED_LIMIT or len(packed) > PACKED_LIMIT:
        raise ConfigurationError(
            f"strategy.source: ConfigMap {config_map} is too large: {len(written)} bytes, and {len(packed)} "
            f"packed: keep to {PACKED_LIMIT} packed, with nothing but the strategy's modules"
        )
    return StrategyVersion(origin=config_map, digest=hashlib.sha256(written).hexdigest(), packed=packed)


def refer(image: str) -> StrategyVersion:
    """The version that an image is, by its digest."""
    return StrategyVersion(origin=image, digest=image.rpartition("@sha256:")[2], packed=b"")


def unpack(version: StrategyVersion) -> dict[str, str]:
    """The files by name; ConfigurationError if they are not what was packed."""
    try:
        unpacking = zlib.decompressobj()
        written = unpacking.decompress(version.packed, _UNPACKED_LIMIT)
        files = _decoder.decode(written)
    except (zlib.error, *MALFORMED) as error:
        raise ConfigurationError(f"strategy {version.name} cannot be unpacked: {error}") from error
    if hashlib.sha256(written).hexdigest() != version.digest:
        raise ConfigurationError(f"strategy {version.name} is not what was packed")
    strange = [name for name in files if not _NAME.fullmatch(name) or name in (".", "..")]
    if strange:
        raise ConfigurationError(f"strategy {version.name}: no ConfigMap has a key {strange[0]!r}")
    return files


def find_modules(folder: Path) -> list[Path]:
    """A folder's modules, and what lies beside them as JSON, by name."""
    return sorted(path for pattern in _FILES for path in folder.glob(pattern) if path.is_file())


def read_folder(folder: Path) -> dict[str, str]:
    """The same, by name and with their text."""
    try:
        return {path.name: path.read_text(encoding="utf-8") for path in find_modules(folder)}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{folder} cannot be read: {error}") from error

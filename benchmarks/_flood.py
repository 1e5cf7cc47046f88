"""A hostile account's process: `python -m benchmarks._flood PORT CREDENTIALS BITS_PER_S SECONDS`.

It floods the bus with small messages over one connection and connects anew on others without end. The rate is
kept by the sender, in place of the network that holds a pod to its bandwidth; 0 means no limit.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

from tests.attacks.wire import Credentials

_MESSAGE = b"PUB decide.mallory-0 16\r\n0123456789abcdef\r\n"
_CHUNK = _MESSAGE * 1500
_RECONNECT_EVERY = 4


class Budget:
    """What may be sent; `spend` waits until it is there."""

    def __init__(self, bits_per_s: int) -> None:
        self._rate = bits_per_s / 8
        self._began, self._spent = time.monotonic(), 0

    def spend(self, size: int) -> None:
        self._spent += size
        if self._rate:
            ahead = self._spent / self._rate - (time.monotonic() - self._began)
            if ahead > 0:
                time.sleep(ahead)


def log_in(port: int, credentials: Credentials) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", port))
    info = json.loads(wire.makefile("rb").readline().removeprefix(b"INFO "))
    words = {"verbose": False, "jwt": credentials.token, "sig": credentials.sign(info["nonce"])}
    wire.sendall(b"CONNECT " + json.dumps(words).encode() + b"\r\nPING\r\n")
    return wire


def main(port: int, credentials: Credentials, bits_per_s: int, seconds: float) -> int:
    """Bytes sent."""
    budget, sent, turn = Budget(bits_per_s), 0, 0
    until = time.monotonic() + seconds
    flood = log_in(port, credentials)
    while time.monotonic() < until:
        turn += 1
        try:
            flood.sendall(_CHUNK)
            if turn % _RECONNECT_EVERY == 0:
                log_in(port, credentials).close()
                budget.spend(2000)
        except OSError:
            flood = log_in(port, credentials)
        sent += len(_CHUNK)
        budget.spend(len(_CHUNK))
    return sent


if __name__ == "__main__":
    number, path, rate, duration = sys.argv[1:]
    print(main(int(number), Credentials.parse(Path(path).read_text()), int(rate), float(duration)))

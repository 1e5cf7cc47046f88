"""The NATS protocol by hand, as an attacker would speak it: no library that is polite on their behalf."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import nkeys

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Credentials:
    """A user's token and its seed; either may be forged."""

    token: str
    seed: str

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """From the text of a .creds file."""
        lines = [line for line in text.splitlines() if line and not line.startswith("---")]
        return cls(lines[0], lines[1])

    def sign(self, nonce: str) -> str:
        signature = nkeys.from_seed(bytearray(self.seed.encode())).sign(nonce.encode())
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")


@dataclass(frozen=True)
class Heard:
    """One message that was delivered."""

    subject: str
    payload: bytes
    headers: bytes = b""


@dataclass
class Wire:
    """One connection. `errors` is what the server said against it, `heard` what it delivered."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    info: dict[str, Any]
    errors: list[str] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _pongs: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    _subscriptions: int = 0
    _spoken: bool = False
    _listening: asyncio.Task[None] | None = None

    @classmethod
    async def dial(cls, port: int) -> Wire:
        """A TCP connection that has heard the server's greeting and said nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        greeting = await asyncio.wait_for(reader.readline(), PATIENCE_S)
        wire = cls(reader, writer, json.loads(greeting.removeprefix(b"INFO ")))
        wire._listening = asyncio.create_task(wire._listen())
        return wire

    @classmethod
    async def log_in(cls, port: int, credentials: Credentials | None, **options: Any) -> Wire:
        """Says who it is; whether the server accepts it shows at the first `settle`."""
        wire = await cls.dial(port)
        wire.connect(credentials, **options)
        return wire

    def connect(self, credentials: Credentials | None, **options: Any) -> None:
        self._spoken = True
        words: dict[str, Any] = {"verbose": False, "headers": True, "no_responders": True, "protocol": 1}
        if credentials:
            words |= {"jwt": credentials.token, "sig": credentials.sign(self.info["nonce"])}
        self.send(b"CONNECT " + json.dumps(words | options).encode() + b"\r\n")

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    def publish(
        self, subject: str, payload: bytes = b"", *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        target = f"{subject} {reply}".rstrip()
        if headers is None:
            self.send(f"PUB {target} {len(payload)}\r\n".encode() + payload + b"\r\n")
            return
        head = ("NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode()
        sizes = f"{len(head)} {len(head) + len(payload)}"
        self.send(f"HPUB {target} {sizes}\r\n".encode() + head + payload + b"\r\n")

    def subscribe(self, subject: str, queue: str = "") -> None:
        self._subscriptions += 1
        self.send(f"SUB {subject} {queue} {self._subscriptions}\r\n".replace("  ", " ").encode())

    def has_heard(self, payload: bytes) -> bool:
        """Whether something that was delivered holds it."""
        return any(payload in message.payload for message in self.heard)

    async def settle(self) -> None:
        """Until the server has dealt with all that was sent, or has closed the connection."""
        self.send(b"PING\r\n")
        with suppress(ConnectionError):
            await self.writer.drain()
        pong = asyncio.create_task(self._pongs.get())
        gone = asyncio.create_task(self.closed.wait())
        await asyncio.wait({pong, gone}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in (pong, gone):
            task.cancel()

    async def close(self) -> None:
        if self._listening:
            self._listening.cancel()
        self.writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await self.writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while line := await self.reader.readline():
                await self._take(line)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()

    async def _take(self, line: bytes) -> None:
        verb, _, rest = line.rstrip().partition(b" ")
        if verb == b"PONG":
            self._pongs.put_nowait(None)
        elif verb == b"PING" and self._spoken:
            self.send(b"PONG\r\n")
        elif verb == b"-ERR":
            self.errors.append(rest.decode().strip("'"))
        elif verb in (b"MSG", b"HMSG"):
            words = rest.decode().split()
            content = (await self.reader.readexactly(int(words[-1]) + 2))[:-2]
            head = int(words[-2]) if verb == b"HMSG" else 0
            self.heard.append(Heard(words[0], content[head:], content[:head]))

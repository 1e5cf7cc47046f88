"""The few JetStream requests that an account's processes make, without the library's consumers and stores.

Answers carry their error inside the payload; `ApiError.code` is JetStream's `err_code`.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, OutboundBufferLimitError
from nats.errors import TimeoutError as NatsTimeout

from smarttrade.errors import BusError

WRONG_LAST_SEQUENCE = (10071, 10164)
# A replicated stream is still deciding on an earlier message with the same id: its fate is not known yet.
SAME_ID_IN_PROCESS = 10158
STREAM_NOT_FOUND = 10059
STREAM_EXISTS = 10058
NO_MESSAGE = 10037


class BusTimeoutError(BusError):
    """No answer in time: whether a write happened is unknown."""


class BusUnavailableError(BusTimeoutError):
    """Not connected, or nobody there to answer (a cluster elects a leader): nothing was written."""


class ApiError(BusError):
    """JetStream refused: `code` is its err_code."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"JetStream refuses: {description} ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored message; time in milliseconds since 1970 (the server's clock)."""

    sequence: int
    payload: bytes
    time_ms: int
    headers: dict[str, str]
    subject: str = ""


async def request(
    nc: Client,
    subject: str,
    payload: bytes = b"",
    *,
    headers: dict[str, str] | None = None,
    timeout_s: float = 2.0,
) -> Msg:
    """One request; BusTimeoutError when no answer comes in time, or BusUnavailableError."""
    try:
        return await nc.request(subject, payload, timeout=timeout_s, headers=headers)
    except NatsTimeout as error:
        raise BusTimeoutError(f"no answer on {subject} within {timeout_s} s") from error
    except NoRespondersError as error:
        raise BusUnavailableError(
            f"nobody answers on {subject}: is the account provisioned, with JetStream and its stream?"
        ) from error
    except OutboundBufferLimitError as error:
        raise BusUnavailableError(f"not connected to NATS: nothing was sent on {subject}") from error
    except NatsError as error:
        raise BusError(f"request on {subject} failed: {error or type(error).__name__}") from error
    except OSError as error:
        # The client's own errors do not cover a socket that breaks while it is written to.
        raise BusTimeoutError(f"the connection to NATS broke under a request on {subject}") from error


async def api(
    nc: Client, subject: str, body: dict[str, Any] | None = None, *, timeout_s: float = 2.0
) -> dict[str, Any]:
    """A request to `$JS.API.<subject>`; ApiError when it is refused."""
    payload = json.dumps(body).encode() if body is not None else b""
    return read_answer(await request(nc, f"$JS.API.{subject}", payload, timeout_s=timeout_s))


async def publish(
    nc: Client, subject: str, payload: bytes, headers: dict[str, str] | None = None, *, timeout_s: float = 2.0
) -> int:
    """Write to a stream; the sequence of what was stored (or had been, under this message id)."""
    answer = read_answer(await request(nc, subject, payload, headers=headers, timeout_s=timeout_s))
    sequence: int = answer["seq"]
    return sequence


async def last(nc: Client, stream: str, subject: str) -> Stored | None:
    """The newest stored message of a subject, asked of the stream's leader, so never a stale one."""
    try:
        answer = await api(nc, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except ApiError as error:
        if error.code == NO_MESSAGE:
            return None
        raise
    return read_stored(answer["message"])


async def last_direct(nc: Client, stream: str, subject: str) -> Stored | None:
    """The newest stored message of a subject, from any replica: for permissions that name the subject."""
    message = await request(nc, f"$JS.API.DIRECT.GET.{stream}.{subject}")
    return read_direct(message)


def read_direct(message: Msg) -> Stored | None:
    """A message of a direct get; None for its 404."""
    headers: dict[str, str] = message.headers or {}
    status = headers.get("Status")
    if status == "404":
        return None
    if status is not None:
        raise BusError(f"direct get refused: {status} {headers.get('Description', '')}")
    return Stored(
        int(headers["Nats-Sequence"]), message.data, parse_time_ms(headers["Nats-Time-Stamp"]), headers
    )


def read_answer(message: Msg) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(message.data)
        refusal = answer.get("error")
        problem = refusal and ApiError(
            refusal.get("err_code", 0), refusal.get("description", "unknown error")
        )
    except (ValueError, AttributeError, RecursionError) as error:
        raise BusError(f"unreadable answer of JetStream: {message.data[:100]!r}") from error
    if problem:
        raise problem
    return answer


def parse_time_ms(text: str) -> int:
    """Milliseconds since 1970 of RFC 3339 with up to nine decimals, which Python does not read."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return _seconds(whole) * 1000 + int((fraction + "000")[:3])


@lru_cache(maxsize=64)
def _seconds(whole: str) -> int:
    """Many messages of a log share a second."""
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp())


def read_stored(message: dict[str, Any]) -> Stored:
    """The message inside the answer to STREAM.MSG.GET."""
    raw = base64.b64decode(message.get("hdrs", "")).decode()
    pairs = (line.split(":", 1) for line in raw.splitlines()[1:] if ":" in line)
    headers = {name.strip(): value.strip() for name, value in pairs}
    payload = base64.b64decode(message.get("data", ""))
    time_ms, subject = parse_time_ms(message["time"]), message.get("subject", "")
    return Stored(message["seq"], payload, time_ms, headers, subject)

"""Who may ask, and when: keys, signatures over the exact bytes, and the time window of a request."""

import re
from urllib.parse import unquote

from smarttrade.simulator.errors import ApiError, missing, too_early, too_late
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.users import User
from smarttrade.simulator.venue import Venue

DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60_000
_EARLIEST_LEAD_MS = 1000
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")


def find_user(venue: Venue, key: str | None) -> User:
    if not key:
        raise ApiError(-2014, "API-key format invalid.", status=401)
    user = venue.users.get(key)
    if user is None:
        raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    return user


def check_signature(user: User, query: str, body: str) -> None:
    """The signature covers query and body as sent, without itself."""
    signature: str | None = None
    parts = []
    for text in (query, body):
        found = _SIGNATURE.search(text)
        if found:
            signature = unquote(found.group(2))
            text = text[: found.start()] + text[found.end() :]
        parts.append(text)
    if signature is None:
        raise missing("signature")
    if not user.has_signed("".join(parts).encode(), signature):
        raise ApiError(-1022, "Signature for this request is not valid.")


def check_signed_parameters(user: User, parameters: Parameters) -> None:
    """The websocket API signs all parameters, sorted by name."""
    signature = parameters.need("signature")
    rest = sorted(item for item in parameters.values.items() if item[0] != "signature")
    payload = "&".join(f"{name}={value}" for name, value in rest)
    if not user.has_signed(payload.encode(), signature):
        raise ApiError(-1022, "Signature for this request is not valid.")


class Window:
    """A request's timestamp and recvWindow (ms). Checked on arrival and again before the matching engine."""

    def __init__(self, parameters: Parameters) -> None:
        timestamp = parameters.moment("timestamp")
        if timestamp is None:
            raise missing("timestamp")
        self.timestamp_ms = timestamp
        given = parameters.get("recvWindow") is not None
        self.window_ms = float(parameters.decimal("recvWindow") or 0) if given else DEFAULT_WINDOW_MS
        if self.window_ms > LONGEST_WINDOW_MS:
            raise ApiError(-1131, f"Recv window must be less than {LONGEST_WINDOW_MS}")

    def check(self, now_ms: int) -> None:
        if self.timestamp_ms >= now_ms + _EARLIEST_LEAD_MS:
            raise too_early()
        if now_ms - self.timestamp_ms > self.window_ms:
            raise too_late()

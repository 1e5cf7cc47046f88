"""What an exchange's refusal proves, and what it does not.

ccxt maps hundreds of messages onto a few classes, and a truncated answer to an *accepted* order raises
the same class as a refusal does. So the class proves nothing here: a refusal is certain only where the
exchange's own code says so, in the row of the capability table. Everything else is Uncertain.

Messages of ccxt can carry the signed URL; `sanitised` is the only way a message leaves this package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from smarttrade.errors import VenueError

# The order's own code first: where an answer is about several orders, `code` says only that some failed.
_CODES = (
    re.compile(r'"sCode"\s*:\s*"?([-\w]+)"?'),
    re.compile(r'"error"\s*:\s*\[\s*"([^"]+)"'),
    re.compile(r'"(?:code|retCode|label)"\s*:\s*"?([-\w]+)"?'),
)
_MESSAGE = re.compile(r'"(?:msg|message|retMsg|sMsg)"\s*:\s*"([^"]*)"')
_URL = re.compile(r"(https?|wss?)://\S+")
_SECRET = re.compile(r"(?i)(signature|apikey|api-key|secret|token|passphrase)(\W{1,4})[\w%/+=-]+")
_LENGTH = 300


class VenueRejectedError(VenueError):
    """The exchange refused, and certainly keeps no such order."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class VenueUncertainError(VenueError):
    """The request may or may not have had its effect."""


class VenueCredentialsError(VenueError):
    """The exchange refuses the key: wrong, expired, or without the permission."""


class NothingToCancelError(VenueError):
    """The exchange knows no open order of that id: it never came, has filled, or is gone."""


class OrderWithheldError(VenueError):
    """The last check before sending failed: nothing was sent."""


def sanitised(error: BaseException) -> str:
    """The error in one line without addresses, signatures and keys."""
    text = _SECRET.sub(r"\1\2***", _URL.sub("<url>", str(error)))
    return f"{type(error).__name__}: {text}"[:_LENGTH]


def venue_code(error: BaseException) -> tuple[str, str]:
    """The exchange's own code and message in a ccxt error; empty where there is none."""
    text = str(error)
    code = next((found for pattern in _CODES if (found := pattern.search(text))), None)
    message = _MESSAGE.search(text)
    return (code.group(1) if code else "", message.group(1) if message else "")


def certain_refusal(error: BaseException, codes: Mapping[str, str]) -> VenueRejectedError | None:
    """The refusal that an error proves, by a table of `code` or `code|words of the message` to our code.

    ccxt leaves the code away where it knows the message: `|words` are those, and hold only without a code.
    """
    pattern = find_code(error, codes)
    meaning = codes[pattern] if pattern else ""
    return VenueRejectedError(meaning, sanitised(error)) if meaning else None


def find_code(error: BaseException, patterns: Iterable[str]) -> str | None:
    """The first of the patterns that an error fits."""
    code, message = venue_code(error)
    message = message if code else str(error)
    for pattern in patterns:
        wanted, _, words = pattern.partition("|")
        if wanted == code and words.lower() in message.lower():
            return pattern
    return None

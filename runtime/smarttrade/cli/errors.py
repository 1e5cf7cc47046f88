"""How a command ends when something is wrong: one sentence on standard error and a code for the kind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from smarttrade.errors import ConfigurationError, SmartTradeError

EXIT_FAILED = 1
EXIT_TIMEOUT = 4
EXIT_UNKNOWN = 5
"""Something was asked for, and whether it was done is not known."""
EXIT_INTERRUPTED = 130


@contextmanager
def plainly() -> Iterator[None]:
    """Turn our own errors into a message and an exit code; anything else is a bug and keeps its traceback."""
    try:
        yield
    except ConfigurationError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(ConfigurationError.exit_code) from None
    except SmartTradeError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(EXIT_FAILED) from None

"""The one exception tree.

Edges translate third-party exceptions into these; cores never see any other. A message says what was
wrong, with the value, and what to do about it.

* SmartTradeError
  · ConfigurationError   the user's input is wrong: what and how to change it
  · BusError             NATS: unreachable, refused, or an assumption about a stream does not hold
  · VenueError           the exchange: see `smarttrade.exchange.errors` for what is certain and what is not
"""


class SmartTradeError(Exception):
    """Base of every error that SmartTrade raises on purpose."""

    exit_code = 1
    """What a process exits with that this error ends."""


class ConfigurationError(SmartTradeError):
    """An object, file, flag or environment variable cannot be used as it is."""

    exit_code = 2


class BusError(SmartTradeError):
    """NATS is unreachable, refuses, or a stream is not as it must be."""

    exit_code = 3


class VenueError(SmartTradeError):
    """The exchange refused, failed, or did not answer."""

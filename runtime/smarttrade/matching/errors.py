"""Why an order is refused, in the exchange's own codes and words (clients match on both)."""

from typing import Final

from smarttrade.errors import SmartTradeError

TOO_MUCH_PRECISION: Final = -1111
FILTER_FAILURE: Final = -1013
MANDATORY_PARAMETER: Final = -1102
UNEXPECTED_PARAMETER: Final = -1106
NEW_ORDER_REJECTED: Final = -2010
CANCEL_REJECTED: Final = -2011
NO_SUCH_ORDER: Final = -2013

INSUFFICIENT_BALANCE: Final = "Account has insufficient balance for requested action."
DUPLICATE_ORDER: Final = "Duplicate order sent."
WOULD_TAKE: Final = "Order would immediately match and take."
WOULD_TRIGGER: Final = "Stop price would trigger immediately."
UNKNOWN_ORDER: Final = "Unknown order sent."
ICEBERG_TOO_LARGE: Final = "IcebergQty exceeds QTY."
MARKET_CLOSED: Final = "Market is closed."
NO_ORDER: Final = "Order does not exist."


class OrderRejected(SmartTradeError):  # noqa: N818 - a refusal is an answer, not a fault
    """The engine refused a request; nothing has changed. `code` and `message` are the exchange's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def filter_failure(name: str) -> OrderRejected:
    """The refusal of the filter called `name`."""
    return OrderRejected(FILTER_FAILURE, f"Filter failure: {name}")

"""Errors as the exchange answers them: HTTP status, code, message."""

from typing import Any, Final

from smarttrade.errors import SmartTradeError
from smarttrade.matching import OrderRejected


class ApiError(SmartTradeError):
    """An answer that is an error. `extra` is added to the body (`data` of a cancel-replace)."""

    def __init__(
        self, code: int, message: str, status: int = 400, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "msg": self.message, **self.extra}


def from_rejection(error: OrderRejected) -> ApiError:
    return ApiError(error.code, error.message)


def missing(name: str) -> ApiError:
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> ApiError:
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def illegal(name: str, rule: str) -> ApiError:
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{rule}'.")


BACKEND_TIMEOUT: Final = (
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
)


def too_late() -> ApiError:
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def too_early() -> ApiError:
    return ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")

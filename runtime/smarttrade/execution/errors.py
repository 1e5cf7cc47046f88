"""Errors of the execution core: each means that an assumption of the protocol does not hold."""

from __future__ import annotations

from smarttrade.errors import SmartTradeError


class ExecutionError(SmartTradeError):
    """The execution core met something that must not happen."""


class IllegalTransitionError(ExecutionError):
    """An order was told to change in a way that no order can."""


class UnknownRecordError(ExecutionError):
    """The log holds a record that this version cannot read."""


class ReusedClientOrderIdError(ExecutionError):
    """A client order id would name a second order."""

"""What an account in mode Paper pays, and how far away its exchange is."""

from __future__ import annotations

from pydantic import Field

from smarttrade.api.model import Model
from smarttrade.api.scalars import Duration, FeeRate


class Paper(Model):
    """The terms of mode Paper; mode Live has the exchange's own."""

    maker_fee: FeeRate = Field(default="0.001", validate_default=True)
    """Share of what is traded that an order pays which rested."""
    taker_fee: FeeRate = Field(default="0.001", validate_default=True)
    """Share of what is traded that an order pays which took what was there."""
    latency: Duration = Duration("0s")
    """Time that an order or a cancel takes to reach the exchange."""

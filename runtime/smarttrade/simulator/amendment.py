"""One lowering of an order's quantity, as the exchange remembers it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amendment:
    """Quantities in units."""

    execution_id: int
    time_ms: int
    before: int
    after: int

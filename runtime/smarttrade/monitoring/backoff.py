"""How long to wait before an exchange is tried again: anything up to a bound that doubles with every try.

"Full jitter": Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015. What bites: an
exchange that comes back meets every pod that lost it in the same moment, and one that counts connections bans
them all; a pause that is only shaken around its bound keeps them together.
"""

from __future__ import annotations

import random


class Backoff:
    """`draw` is this pod's own: two of one seed would be in step again."""

    def __init__(self, first_s: float, longest_s: float, draw: random.Random | None = None) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._bound_s = first_s
        self._draw = draw or random.Random()

    def pause_s(self) -> float:
        """The next pause, of 0 to the bound."""
        bound_s, self._bound_s = self._bound_s, min(2 * self._bound_s, self._longest_s)
        return self._draw.uniform(0, bound_s)

    def reset(self) -> None:
        """It held: begin with the shortest bound again."""
        self._bound_s = self._first_s

"""Each safeguard of the protocol, and how to switch it off: a simulation that cannot fail proves nothing.

The product has no such switches. Here they are methods that a test replaces on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.identity import AccountIdentity

if TYPE_CHECKING:
    from tests.simulation.pod import Pod


class Safeguards:
    """All of them on."""

    name = ""
    fenced = True

    def tune(self, tuning: Tuning) -> Tuning:
        return tuning

    def build_core(self, identity: AccountIdentity, holder: str, tuning: Tuning) -> Core:
        return self.weaken(Core(identity, holder, tuning))

    def succeed(self, core: Core) -> Core:
        return self.weaken(core.successor())

    def weaken(self, core: Core) -> Core:
        return core

    def may_leave(self, pod: Pod, effect: fx.Send) -> bool:
        """The last check before the wire."""
        return pod.mono_ms < pod.lease_until and pod.mono_ms < effect.leave_by_ms

    def sign(self, pod: Pod, effect: fx.Send) -> fx.Send:
        """The request carries the time that the intent pinned."""
        return effect


def renewed_deadline(effect: fx.Send, exchange_ms: int) -> fx.Send:
    return msgspec.structs.replace(effect, deadline_ms=exchange_ms)

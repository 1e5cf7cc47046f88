"""The platform's kill switch: while a ConfigMap of this name exists, every account is Halted.

    kubectl -n smarttrade-system create configmap smarttrade-kill-switch --from-literal=state=Halted
    kubectl -n smarttrade-system delete configmap smarttrade-kill-switch

What bites: an operator that starts must not write to any account before it has looked, or it would release
the switch for a moment; an API server that does not answer changes nothing; and a value that is not known
halts, because whoever made the object wanted something of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from smarttrade_operator import health
from smarttrade_operator.kinds import CONFIG_MAP
from smarttrade_operator.kube import Kube, KubeError, NotFound, Refused, Unavailable

NAME = "smarttrade-kill-switch"
RELEASED = "Released"
_EVERY_S = 1.0


@dataclass(slots=True)
class KillSwitch:
    """Looks at the object every second; `changed` is called when every account has to be told anew."""

    kube: Kube
    namespace: str
    changed: Callable[[], None]
    _thrown: bool | None = None

    def is_thrown(self) -> bool:
        """Whether every account is to be Halted; Unavailable while that is not known yet."""
        if self._thrown is None:
            raise Unavailable(f"the kill switch (ConfigMap {NAME} in {self.namespace}) was not read yet")
        return self._thrown

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Read the object once."""
        try:
            thrown = await self._read()
        except KubeError as error:
            _log.warning("the kill switch was not read, what holds stays", error=str(error))
            return
        if thrown is self._thrown:
            return
        if thrown or self._thrown:
            _log.warning("kill switch", thrown=thrown)
        self._thrown = thrown
        health.kill_switch.set(thrown)
        self.changed()

    async def _read(self) -> bool:
        try:
            found = await self.kube.get(CONFIG_MAP, self.namespace, NAME)
        except NotFound:
            return False
        except Refused as error:
            if self._thrown is None:
                _log.error("no kill switch: the operator's Role is not this version's", error=str(error))
            return bool(self._thrown)
        return (found.get("data") or {}).get("state") != RELEASED


_log = structlog.get_logger()

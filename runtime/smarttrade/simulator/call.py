"""One request on its way through the exchange."""

from dataclasses import dataclass

from smarttrade.matching import Account
from smarttrade.simulator.errors import ApiError, missing
from smarttrade.simulator.marketdata import MarketData
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.security import Window
from smarttrade.simulator.users import User
from smarttrade.simulator.venue import Venue


@dataclass(slots=True)
class Call:
    """`user` and `window` are set where the operation is signed; `endpoint` is how faults name it.

    `skew_ms` is how far the exchange's idea of the time is off for this request, by a fault.
    """

    venue: Venue
    parameters: Parameters
    endpoint: str
    user: User | None = None
    window: Window | None = None
    skew_ms: int = 0

    def now_ms(self) -> int:
        return self.venue.clock.now_ms() + self.skew_ms

    @property
    def account(self) -> Account:
        if self.user is None:
            raise ApiError(-2014, "API-key format invalid.", status=401)
        return self.user.account

    def market(self) -> MarketData:
        """The market named by the mandatory parameter `symbol`."""
        return self.find_market(self.parameters.need("symbol"))

    def find_market(self, name: str) -> MarketData:
        data = self.venue.data.get(name)
        if data is None:
            raise ApiError(-1121, "Invalid symbol.")
        return data

    def check_deadline(self) -> None:
        """The exchange's last look at the clock before the matching engine: a late order is refused here."""
        if self.window is None:
            raise missing("timestamp")
        self.window.check(self.now_ms())

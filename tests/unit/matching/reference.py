"""A slow, obvious exchange: every order in one list, searched from the start, Fractions instead of units."""

import copy
from dataclasses import dataclass, field
from fractions import Fraction

NOTHING = Fraction(0)


@dataclass
class SlowOrder:
    """`left` of it, of which `shown` is visible, `display` at a time. `then` is placed when it has filled."""

    number: int
    owner: str
    side: str
    price: Fraction
    left: Fraction
    display: Fraction
    mode: str
    then: "SlowOrder | None" = None
    shown: Fraction = NOTHING
    fills: list = field(default_factory=list)
    is_refused: bool = False


class SlowExchange:
    """Limit, IOC, FOK, iceberg and one-triggers-the-other orders, self-trade prevention, cancels; no fees.

    Balances as {owner: {asset: total}}.
    """

    def __init__(self, balances):
        self.total = {owner: dict(assets) for owner, assets in balances.items()}
        self.resting = []
        self.released = []

    def held(self, owner, asset):
        mine = [o for o in self.resting if o.owner == owner]
        if asset == "BTC":
            return sum((o.left for o in mine if o.side == "sell"), NOTHING)
        return sum((o.left * o.price for o in mine if o.side == "buy"), NOTHING)

    def free(self, owner, asset):
        return self.total[owner][asset] - self.held(owner, asset)

    def is_covered(self, order):
        asset, needed = ("USDT", order.left * order.price) if order.side == "buy" else ("BTC", order.left)
        return self.free(order.owner, asset) >= needed

    def place(self, order, tif):
        """The order, or None where it is refused; then whatever its fills have released."""
        if not self.is_covered(order):
            return None
        if tif == "FOK" and not self.would_fill(order):
            return order
        self.work(order, tif)
        while self.released:
            pending = self.released.pop(0)
            if self.is_covered(pending):
                self.work(pending, "GTC")
            else:
                pending.is_refused = True
        return order

    def would_fill(self, order):
        trial, twin = copy.deepcopy((self, order))
        wanted = twin.left
        trial.match(twin)
        return sum((quantity for _, quantity in twin.fills), NOTHING) == wanted

    def work(self, order, tif):
        self.match(order)
        if tif == "GTC" and order.left:
            order.shown = min(order.display, order.left)
            self.resting.append(order)

    def match(self, order):
        while order.left and (maker := self.best(order)) is not None:
            if maker.owner == order.owner and order.mode != "NONE":
                self.prevent(order, maker)
            else:
                self.fill(order, maker)
            self.resting = [o for o in self.resting if o.left]

    def best(self, order):
        """The opposite order it would trade with: best price first, then oldest."""
        if order.side == "buy":
            found = [o for o in self.resting if o.side == "sell" and o.price <= order.price]
            return min(found, key=lambda o: o.price, default=None)
        found = [o for o in self.resting if o.side == "buy" and o.price >= order.price]
        return max(found, key=lambda o: o.price, default=None)

    def prevent(self, taker, maker):
        smaller = min(taker.left, maker.left)
        if taker.mode == "DECREMENT":
            taker.left -= smaller
            maker.left -= smaller
            maker.shown = min(maker.shown, maker.left)
        if taker.mode in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
            taker.left = NOTHING
        if taker.mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
            maker.left = NOTHING

    def fill(self, taker, maker):
        quantity = min(taker.left, maker.shown)
        buyer, seller = (taker, maker) if taker.side == "buy" else (maker, taker)
        self.total[buyer.owner]["BTC"] += quantity
        self.total[seller.owner]["BTC"] -= quantity
        self.total[buyer.owner]["USDT"] -= quantity * maker.price
        self.total[seller.owner]["USDT"] += quantity * maker.price
        maker.shown -= quantity
        for order in (maker, taker):
            order.left -= quantity
            order.fills.append((maker.price, quantity))
            if not order.left and order.then is not None:
                self.released.append(order.then)
        if not maker.shown and maker.left:
            maker.shown = min(maker.display, maker.left)
            self.resting.remove(maker)
            self.resting.append(maker)

    def cancel(self, number):
        self.resting = [o for o in self.resting if o.number != number]

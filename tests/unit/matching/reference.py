"""A slow, obvious exchange: every order in one list, searched from the start, Fractions instead of units."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class SlowOrder:
    number: int
    owner: str
    side: str
    price: Fraction
    left: Fraction
    fills: list = field(default_factory=list)


class SlowExchange:
    """Limit, IOC and FOK orders and cancels; no fees. Balances as {owner: {asset: total}}."""

    def __init__(self, balances):
        self.total = {owner: dict(assets) for owner, assets in balances.items()}
        self.resting = []

    def held(self, owner, asset):
        mine = [o for o in self.resting if o.owner == owner]
        if asset == "BTC":
            return sum((o.left for o in mine if o.side == "sell"), Fraction(0))
        return sum((o.left * o.price for o in mine if o.side == "buy"), Fraction(0))

    def free(self, owner, asset):
        return self.total[owner][asset] - self.held(owner, asset)

    def place(self, number, owner, side, quantity, price, tif):
        asset, needed = ("USDT", quantity * price) if side == "buy" else ("BTC", quantity)
        if self.free(owner, asset) < needed:
            return None
        order = SlowOrder(number, owner, side, price, quantity)
        if tif == "FOK" and sum((o.left for o in self.matching(order)), Fraction(0)) < quantity:
            return order
        for maker in self.matching(order):
            self.fill(order, maker)
        if tif == "GTC" and order.left:
            self.resting.append(order)
        return order

    def matching(self, order):
        """Opposite orders it may trade with, best price first, then oldest."""
        if order.side == "buy":
            found = [o for o in self.resting if o.side == "sell" and o.price <= order.price]
            return sorted(found, key=lambda o: o.price)
        found = [o for o in self.resting if o.side == "buy" and o.price >= order.price]
        return sorted(found, key=lambda o: -o.price)

    def fill(self, taker, maker):
        quantity = min(taker.left, maker.left)
        if not quantity:
            return
        buyer, seller = (taker, maker) if taker.side == "buy" else (maker, taker)
        self.total[buyer.owner]["BTC"] += quantity
        self.total[seller.owner]["BTC"] -= quantity
        self.total[buyer.owner]["USDT"] -= quantity * maker.price
        self.total[seller.owner]["USDT"] += quantity * maker.price
        for order in (taker, maker):
            order.left -= quantity
            order.fills.append((maker.price, quantity))
        self.resting = [o for o in self.resting if o.left]

    def cancel(self, number):
        self.resting = [o for o in self.resting if o.number != number]

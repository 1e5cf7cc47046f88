"""The bare book: what only it can get wrong."""

from smarttrade.matching import BUY, SELL
from smarttrade.matching.book import OrderBook
from smarttrade.matching.orders import Resting


def test_churn_at_a_price_does_not_grow_the_book():
    book = OrderBook()
    book.add(Resting(0, None, BUY, 100, 1))
    for number in range(1, 5000):
        order = Resting(number, None, BUY, 100, 1)
        book.add(order)
        book.cancel(order)
    level = book.best(BUY)
    assert (level.quantity, level.orders[0].id) == (1, 0)
    assert len(level.orders) < 200


def test_prices_that_come_and_go_do_not_grow_the_heap():
    book = OrderBook()
    book.add(Resting(0, None, SELL, 1, 1))
    for number in range(1, 3000):
        order = Resting(number, None, SELL, 1 + number % 7, 1)
        book.add(order)
        book.cancel(order)
    assert len(book._ask_heap) <= 8
    assert book.best(SELL).price == 1


def test_compacting_keeps_the_queue_in_order():
    book = OrderBook()
    orders = [Resting(number, None, SELL, 100, 1) for number in range(500)]
    for order in orders:
        book.add(order)
    for order in orders[::2] + orders[1:300:2]:
        book.cancel(order)
    kept = [order.id for order in orders if order.open]
    assert [maker.id for maker, _, _ in book.take(BUY, 100, 1000)] == kept
    assert book.best(SELL) is None

"""What the demonstration prints is what the journal and the status say."""

from decimal import Decimal

from demo.accounts import Seen
from demo.story import describe_result, describe_trade


def test_a_fill_is_one_line_without_padding() -> None:
    trade = {
        "time_ms": 1_700_000_000_000,
        "side": "BUY",
        "symbol": "BTC/USDT",
        "last_quantity": "0.01200000",
        "last_price": "61200.00000000",
    }
    assert describe_trade(trade) == "22:13:20 BUY  0.012 BTC/USDT at 61200"


def test_money_is_shown_to_the_hundredth_with_its_sign() -> None:
    seen = Seen(
        fills=5,
        leader="alice-1",
        state="Active",
        ready=True,
        equity=Decimal("9992.17761917"),
        realized_pnl=Decimal("-7.82236266"),
        unrealized_pnl=Decimal("0.00001"),
        breach="",
        reasons="",
    )
    assert describe_result(seen) == "5 fills; equity 9992.18; PnL realised -7.82, unrealised +0.00"

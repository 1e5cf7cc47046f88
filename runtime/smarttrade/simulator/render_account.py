"""Balances, fees and permissions as the exchange answers them; plain data."""

import zlib
from typing import Any

from smarttrade.matching.ledger import Account
from smarttrade.matching.units import SCALE, to_text

Json = dict[str, Any]


def user_number(name: str) -> int:
    """The same in every run, as a user's number on the exchange is."""
    return zlib.crc32(name.encode())


def build_rates(account: Account) -> Json:
    fees = account.fees
    return {
        "maker": to_text(fees.rate_units(True)),
        "taker": to_text(fees.rate_units(False)),
        "buyer": "0.00000000",
        "seller": "0.00000000",
    }


def build_account(account: Account, now_ms: int, omit_zero: bool) -> Json:
    maker, taker = account.fees.rate_units(True), account.fees.rate_units(False)
    return {
        "makerCommission": maker * 10_000 // SCALE,
        "takerCommission": taker * 10_000 // SCALE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": build_rates(account),
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": to_text(free), "locked": to_text(locked)}
            for name, free, locked in _balances(account)
            if free or locked or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": user_number(account.name),
    }


def _balances(account: Account) -> list[tuple[str, int, int]]:
    names = sorted(set(account.free) | set(account.locked))
    return [(name, account.free.get(name, 0), account.locked.get(name, 0)) for name in names]


def _zero_rates() -> Json:
    return dict.fromkeys(("maker", "taker", "buyer", "seller"), "0.00000000")


def _build_discount(account: Account) -> Json:
    fees = account.fees
    return {
        "enabledForAccount": fees.is_third_asset,
        "enabledForSymbol": fees.is_third_asset,
        "discountAsset": fees.asset if fees.is_third_asset else "BNB",
        "discount": to_text(fees.discount_units),
    }


def build_commission(account: Account, symbol: str) -> Json:
    return {
        "symbol": symbol,
        "standardCommission": build_rates(account),
        "specialCommission": _zero_rates(),
        "taxCommission": _zero_rates(),
        "discount": _build_discount(account),
    }


def build_order_commission(account: Account) -> Json:
    """What a test order would pay."""
    rates = build_rates(account)
    zero = {"maker": "0.00000000", "taker": "0.00000000"}
    return {
        "standardCommissionForOrder": {"maker": rates["maker"], "taker": rates["taker"]},
        "specialCommissionForOrder": zero,
        "taxCommissionForOrder": zero,
        "discount": _build_discount(account),
    }


def build_trade_fee(account: Account, symbol: str) -> Json:
    rates = build_rates(account)
    return {"symbol": symbol, "makerCommission": rates["maker"], "takerCommission": rates["taker"]}


def build_user_assets(account: Account) -> list[Json]:
    return [
        {
            "asset": name,
            "free": to_text(free),
            "locked": to_text(locked),
            "freeze": "0",
            "withdrawing": "0",
            "ipoable": "0",
            "btcValuation": "0",
        }
        for name, free, locked in _balances(account)
        if free or locked
    ]


def build_coin(account: Account, asset: str) -> Json:
    """One coin of the wallet, which nothing can be sent to or taken from."""
    return {
        "coin": asset,
        "name": asset,
        "free": to_text(account.free.get(asset, 0)),
        "locked": to_text(account.locked.get(asset, 0)),
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "networkList": [],
    }


def build_key_permissions(now_ms: int, can_withdraw: bool) -> Json:
    return {
        "ipRestrict": False,
        "createTime": now_ms,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }

"""What an API key may do and whose it is, in each exchange's own words.

A key that can withdraw turns every leak into a loss of everything, so it is worth one question before the
first order. Not every exchange answers: None means that it does not tell, never that the key may not.
`account_id` names the exchange account; it leaves the process only as a keyed fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

Answer = Mapping[str, Any]


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange says of the key. `restricted`: usable from listed addresses only."""

    can_trade: bool | None = None
    can_withdraw: bool | None = None
    restricted: bool | None = None
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class KeyQuestion:
    """`methods` are ccxt's, asked in this order; `parse` reads their answers."""

    methods: tuple[str, ...]
    parse: Callable[..., KeyReport]


def parse_binance(restrictions: Answer, account: Answer) -> KeyReport:
    """GET /sapi/v1/account/apiRestrictions and GET /api/v3/account."""
    return KeyReport(
        can_trade=_flag(restrictions.get("enableSpotAndMarginTrading")) and _flag(account.get("canTrade")),
        can_withdraw=_flag(restrictions.get("enableWithdrawals")),
        restricted=_flag(restrictions.get("ipRestrict")),
        account_id=_text(account.get("uid")),
    )


def parse_binance_testnet(account: Answer) -> KeyReport:
    """Its test environment has no /sapi; and nothing there is worth withdrawing."""
    return KeyReport(
        can_trade=_flag(account.get("canTrade")), can_withdraw=False, account_id=_text(account.get("uid"))
    )


def parse_bybit(answer: Answer) -> KeyReport:
    """GET /v5/user/query-api."""
    told = answer.get("result") or {}
    permissions = told.get("permissions") or {}
    addresses = told.get("ips") or ["*"]
    return KeyReport(
        can_trade="SpotTrade" in (permissions.get("Spot") or []) and str(told.get("readOnly")) == "0",
        can_withdraw="Withdraw" in (permissions.get("Wallet") or []),
        restricted="*" not in addresses,
        account_id=_text(told.get("userID")),
    )


def parse_okx(answer: Answer) -> KeyReport:
    """GET /api/v5/account/config."""
    told = _first(answer.get("data"))
    permissions = _words(told.get("perm"))
    return KeyReport(
        can_trade="trade" in permissions,
        can_withdraw="withdraw" in permissions,
        restricted=bool(told.get("ip")),
        account_id=_text(told.get("uid")),
    )


def parse_kraken(answer: Answer) -> KeyReport:
    """POST /0/private/GetApiKeyInfo; permissions such as query-funds, withdraw-funds, modify-trades."""
    told = answer.get("result") or {}
    permissions = [str(name).lower() for name in told.get("permissions") or []]
    trades = any(name in permissions for name in ("modify-trades", "create-orders", "modify-orders"))
    return KeyReport(
        can_trade=trades or None,
        can_withdraw=any(name.startswith("withdraw") for name in permissions) if permissions else None,
        restricted=bool(told.get("ipAllowlist")),
        account_id=_text(told.get("iban")),
    )


def parse_gate(answer: Answer) -> KeyReport:
    """GET /api/v4/account/detail: it tells whose the key is, not what it may do."""
    return KeyReport(restricted=bool(answer.get("ip_whitelist")), account_id=_text(answer.get("user_id")))


def parse_kucoin(answer: Answer) -> KeyReport:
    """GET /api/v1/user/api-key; Transfer covers withdrawals, so it counts as one."""
    told = answer.get("data") or {}
    permissions = _words(told.get("permission"))
    return KeyReport(
        can_trade="spot" in permissions or "trade" in permissions,
        can_withdraw=any(name in permissions for name in ("withdraw", "withdrawal", "transfer")),
        restricted=bool(told.get("ipWhitelist")),
        account_id=_text(told.get("uid")),
    )


def parse_bitget(answer: Answer) -> KeyReport:
    """GET /api/v2/spot/account/info; stow is spot trading, wwow withdrawal."""
    told = answer.get("data") or {}
    authorities = [str(name).lower() for name in told.get("authorities") or []]
    return KeyReport(
        can_trade=any(name in authorities for name in ("stow", "trade")),
        can_withdraw=any(name in authorities for name in ("wwow", "withdraw")),
        restricted=bool(told.get("ips")),
        account_id=_text(told.get("userId")),
    )


def parse_mexc(account: Answer, identity: Answer) -> KeyReport:
    """GET /api/v3/account and GET /api/v3/uid; its flags are the account's, so the key may do less."""
    return KeyReport(
        can_trade=_flag(account.get("canTrade")),
        can_withdraw=None if account.get("canWithdraw") else False,
        account_id=_text(identity.get("uid")),
    )


QUESTIONS: Mapping[str, KeyQuestion] = {
    "binance": KeyQuestion(("sapi_get_account_apirestrictions", "private_get_account"), parse_binance),
    "bybit": KeyQuestion(("private_get_v5_user_query_api",), parse_bybit),
    "okx": KeyQuestion(("private_get_account_config",), parse_okx),
    "kraken": KeyQuestion(("private_post_getapikeyinfo",), parse_kraken),
    "gate": KeyQuestion(("private_account_get_detail",), parse_gate),
    "kucoin": KeyQuestion(("private_get_user_api_key",), parse_kucoin),
    "bitget": KeyQuestion(("private_spot_get_v2_spot_account_info",), parse_bitget),
    "mexc": KeyQuestion(("spot_private_get_account", "spot_private_get_uid"), parse_mexc),
}
_BINANCE_TESTNET = KeyQuestion(("private_get_account",), parse_binance_testnet)


def find_question(exchange: str, *, sandbox: bool) -> KeyQuestion:
    """How this exchange is asked; every row of the capability table has one."""
    return _BINANCE_TESTNET if sandbox and exchange == "binance" else QUESTIONS[exchange]


def _flag(value: Any) -> bool | None:
    if value is None:
        return None
    return value if isinstance(value, bool) else str(value).lower() == "true"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _words(value: Any) -> set[str]:
    return {word.strip().lower() for word in str(value or "").split(",")}


def _first(value: Any) -> Answer:
    return value[0] if value else {}

"""What opens the egress gateways: derived, so that neither they nor the operator keep a list of accounts.

The gateway has a key of its own, made from the master seed; an account's password is the HMAC of its user
name under that key. The user name says when it was issued, so that it ends with its period, and so that what
was issued until some time can be withdrawn. `cluster/go/egress-gateway` checks exactly this.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from smarttrade.bus.keys import derive
from smarttrade.identity import AccountIdentity


def build_gateway_key(master: bytes) -> str:
    """The text of the gateways' key file."""
    return derive(master, "egress-gateway").hex()


def build_user(identity: AccountIdentity, exchange: str, environment: str, issued_s: int) -> str:
    """Names exchange, environment and time, so that they cannot be others with the same password."""
    return f"{exchange}.{environment}.{issued_s}.{account_name(identity)}"


def account_name(identity: AccountIdentity) -> str:
    """The account among those of which something is withdrawn."""
    return f"{identity.namespace}.{identity.name}"


def build_password(gateway_key: str, user: str) -> str:
    digest = hmac.digest(gateway_key.encode(), user.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")


def in_order(identity: AccountIdentity, gateways: Sequence[str]) -> tuple[str, ...]:
    """The account's own order (rendezvous hashing): it hardly changes when gateways come or go."""
    return tuple(
        sorted(
            gateways,
            key=lambda gateway: hashlib.sha256(f"{identity.key}\0{gateway}".encode()).digest(),
        )
    )

"""The Secret with the NATS credentials of the account's three containers.

Credentials are the same for a whole period (see `smarttrade.bus.accounts`), so writing an unchanged Secret
again changes nothing in the API server: the operator can restore a lost one without ever reading any.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from smarttrade.bus.gateway import build_password
from smarttrade_operator.children.blueprint import Blueprint, build_child
from smarttrade_operator.kinds import SECRET, Manifest

RENEW_AT = "smarttrade.io/renew-at"
FINGERPRINT = "fingerprint.key"
ORDERS = "orders.key"
GATEWAY = "gateway.credentials"
AUTHORITY = "ca.crt"


def build_credentials_secret(
    blueprint: Blueprint,
    credentials: Mapping[str, str],
    *,
    mark_key: str,
    order_key: str,
    renew_at_s: int,
    issued_s: int = 0,
    gateway_key: str = "",
    authority: str = "",
) -> Manifest:
    """`credentials` is role -> text of the .creds file; `renew_at_s`, in seconds since the epoch, is
    when they change next, `issued_s` when they were issued. `mark_key` is the account's own, see
    `smarttrade.bus.marks`, as is `order_key`, by which it knows its orders at the exchange; `gateway_key` is
    the one from which its password for the egress gateways follows.
    `authority` is the certificate that the NATS servers are verified by, empty without TLS."""
    files = {f"{role}.creds": text for role, text in credentials.items()}
    files |= {FINGERPRINT: mark_key, ORDERS: order_key}
    if blueprint.gateways:
        user = blueprint.gateway_user(issued_s)
        files[GATEWAY] = f"{user}:{build_password(gateway_key, user)}"
    if authority:
        files[AUTHORITY] = authority
    secret = build_child(
        blueprint,
        SECRET,
        blueprint.secret_name,
        type="Opaque",
        data={name: b64encode(text.encode()).decode() for name, text in sorted(files.items())},
    )
    secret["metadata"]["annotations"] = {RENEW_AT: str(renew_at_s)}
    return secret

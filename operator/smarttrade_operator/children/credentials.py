"""The Secret with the NATS credentials of the account's three containers.

It says by annotation when its credentials must be renewed, so that an operator which may not read Secrets
can still learn that from the metadata alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from smarttrade_operator.children.blueprint import Blueprint, build_child
from smarttrade_operator.kube import SECRET, Manifest

RENEW_AT = "smarttrade.io/renew-at"
ISSUED_FOR = "smarttrade.io/issued-for"


def build_credentials_secret(
    blueprint: Blueprint, credentials: Mapping[str, str], *, renew_at_s: int, issued_for: str
) -> Manifest:
    """`credentials` is role -> text of the .creds file; `renew_at_s` is in seconds since the epoch and
    `issued_for` names the NATS account that they belong to."""
    secret = build_child(
        blueprint,
        SECRET,
        blueprint.secret_name,
        type="Opaque",
        stringData={f"{role}.creds": text for role, text in sorted(credentials.items())},
    )
    secret["metadata"]["annotations"] = {RENEW_AT: str(renew_at_s), ISSUED_FOR: issued_for}
    return secret

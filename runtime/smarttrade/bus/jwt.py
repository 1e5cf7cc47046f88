"""NATS JWTs (version 2): claims as plain data and their signed encoding.

What bites: an absent limit means 0, not unlimited; `jti` is checked by nobody but must be there; with
`strict_signing_key_usage` a JWT signed by an identity key is refused, only signing keys count.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Protocol

Claims = dict[str, Any]

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


class Signer(Protocol):
    @property
    def public(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _compact(value: Claims) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def encode(
    issuer: Signer, subject: str, name: str, nats: Claims, issued: int, expires: int | None = None
) -> str:
    """The signed token. Times in seconds since 1970; the same arguments give the same token."""
    standard: Claims = {"exp": expires} if expires else {}
    standard |= {"iat": issued, "iss": issuer.public, "name": name, "nats": nats, "sub": subject}
    digest = hashlib.new("sha512_256", _compact(standard)).digest()
    body = standard | {"jti": base64.b32encode(digest).decode().rstrip("=")}
    signed = f"{_base64url(_compact(_HEADER))}.{_base64url(_compact(body))}"
    return f"{signed}.{_base64url(issuer.sign(signed.encode()))}"


def decode(token: str) -> Claims:
    """The claims of a token, not verified: for reading back what this process or a server holds."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not a JWT")
    try:
        claims: Claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except RecursionError as error:
        raise ValueError("not the claims of a JWT") from error
    return claims


def build_operator_claims(signing_public: str, system_public: str) -> Claims:
    return {
        "type": "operator",
        "version": 2,
        "signing_keys": [signing_public],
        "system_account": system_public,
        "strict_signing_key_usage": True,
    }


def build_user_claims(account_public: str, publish: list[str], subscribe: list[str]) -> Claims:
    """A user that may do exactly what is listed."""
    return {
        "type": "user",
        "version": 2,
        "issuer_account": account_public,
        "subs": -1,
        "data": -1,
        "payload": -1,
        # An empty allow-list would mean everything.
        "pub": {"allow": publish} if publish else {"deny": [">"]},
        "sub": {"allow": subscribe} if subscribe else {"deny": [">"]},
    }


def build_delete_claims(accounts: list[str]) -> Claims:
    return {"type": "generic", "version": 2, "accounts": accounts}


def format_credentials(token: str, seed: str) -> str:
    """The text of a .creds file."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )

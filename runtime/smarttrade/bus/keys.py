"""The installation's NATS keys: one operator, one signing key, one master seed.

Everything else is derived from the master seed (HKDF-SHA256, RFC 5869), so that nothing has to be stored per
account and two replicas of the operator always produce the same accounts and credentials. Losing the
seed means new accounts; leaking it means every account: it lives in one Secret and nowhere else.
The root key signs the operator's JWT once; afterwards it may be taken out of the files and kept offline.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from functools import cached_property, lru_cache

import nkeys

from smarttrade.bus import jwt
from smarttrade.errors import ConfigurationError

_FILES = ("operator.jwt", "signing.seed", "master.seed")


@dataclass(frozen=True)
class NatsKey:
    """One nkey: `public` is its name on the wire, `seed` its secret."""

    seed: str

    @cached_property
    def pair(self) -> nkeys.KeyPair:
        return nkeys.from_seed(bytearray(self.seed.encode()))

    @cached_property
    def public(self) -> str:
        public: bytes = self.pair.public_key
        return public.decode()

    def sign(self, message: bytes) -> bytes:
        signature: bytes = self.pair.sign(message)
        return signature


def key_from_entropy(kind: int, entropy: bytes) -> NatsKey:
    """The nkey of one kind (a prefix byte of `nkeys`) with the given 32 secret bytes."""
    return NatsKey(nkeys.encode_seed(entropy, kind).decode())


def derive(master: bytes, *path: str) -> bytes:
    """32 bytes by HKDF-SHA256 of the master seed; the path is the `info`, its parts kept apart."""
    info = "\x1f".join(("smarttrade/v1", *path)).encode()
    extracted = hmac.digest(b"\0" * 32, master, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


@lru_cache(maxsize=256)
def _derive_key(kind: int, master: bytes, *path: str) -> NatsKey:
    """Kept for a while: one account is made of a few keys, each asked for several times."""
    return key_from_entropy(kind, derive(master, *path))


@dataclass(frozen=True)
class OperatorKeys:
    """What the operator needs to make accounts; see `to_files` for the names under which it is kept."""

    operator_jwt: str
    signing: NatsKey
    master: bytes
    root: NatsKey | None = None

    @classmethod
    def generate(cls, now: float | None = None) -> OperatorKeys:
        root = key_from_entropy(nkeys.PREFIX_BYTE_OPERATOR, os.urandom(32))
        signing = key_from_entropy(nkeys.PREFIX_BYTE_OPERATOR, os.urandom(32))
        master = os.urandom(32)
        system = key_from_entropy(nkeys.PREFIX_BYTE_ACCOUNT, derive(master, "account", "system"))
        claims = jwt.build_operator_claims(signing.public, system.public)
        token = jwt.encode(root, root.public, "smarttrade", claims, int(time.time() if now is None else now))
        return cls(operator_jwt=token, signing=signing, master=master, root=root)

    def to_files(self) -> dict[str, str]:
        """File name to content. `operator.seed` is the root key: nothing reads it after generation."""
        files = {
            "operator.jwt": self.operator_jwt,
            "signing.seed": self.signing.seed,
            "master.seed": self.master.hex(),
        }
        return files | ({"operator.seed": self.root.seed} if self.root else {})

    @classmethod
    def from_files(cls, files: dict[str, str]) -> OperatorKeys:
        missing = [name for name in _FILES if not files.get(name, "").strip()]
        if missing:
            raise ConfigurationError(
                f"the NATS keys lack {', '.join(missing)}: restore them, they are made only once"
            )
        try:
            master = bytes.fromhex(files["master.seed"].strip())
            signing = NatsKey(files["signing.seed"].strip())
            issuer = jwt.decode(files["operator.jwt"].strip())["nats"]["signing_keys"]
            belongs = len(master) == 32 and issuer == [signing.public]
        except (ValueError, KeyError, TypeError, nkeys.NkeysError) as error:
            raise ConfigurationError(f"the NATS keys cannot be read: {error}") from error
        if not belongs:
            raise ConfigurationError(
                "the NATS keys do not belong together: signing.seed is not named in operator.jwt"
            )
        root = files.get("operator.seed", "").strip()
        return cls(files["operator.jwt"].strip(), signing, master, NatsKey(root) if root else None)

    @cached_property
    def created(self) -> int:
        """When the operator's JWT was made, in seconds: the fixed issue time of everything static."""
        issued: int = jwt.decode(self.operator_jwt)["iat"]
        return issued

    def account(self, *path: str) -> NatsKey:
        return _derive_key(nkeys.PREFIX_BYTE_ACCOUNT, self.master, "account", *path)

    def account_signing(self, *path: str) -> NatsKey:
        return _derive_key(nkeys.PREFIX_BYTE_ACCOUNT, self.master, "account-signing", *path)

    def user(self, *path: str) -> NatsKey:
        return _derive_key(nkeys.PREFIX_BYTE_USER, self.master, "user", *path)

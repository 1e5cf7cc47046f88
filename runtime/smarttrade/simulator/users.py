"""Users and their keys: who signs how, and whether a signature is right."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from smarttrade.errors import ConfigurationError
from smarttrade.matching import Account
from smarttrade.simulator.config import UserConfig

VerifyKey = Ed25519PublicKey | RSAPublicKey


@dataclass(slots=True)
class User:
    """One key of one account: an HMAC secret, or a public key."""

    account: Account
    key: str
    secret: bytes
    verify_key: VerifyKey | None
    config: UserConfig

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def signs_with(self) -> str:
        """HMAC, Ed25519 or RSA."""
        if self.verify_key is None:
            return "HMAC"
        return "Ed25519" if isinstance(self.verify_key, Ed25519PublicKey) else "RSA"

    @property
    def may_log_on(self) -> bool:
        """Sessions of the websocket API are for Ed25519 keys only."""
        return isinstance(self.verify_key, Ed25519PublicKey)

    def has_signed(self, payload: bytes, signature: str) -> bool:
        """HMAC-SHA256 in hex; Ed25519 or RSA (PKCS#1 v1.5, SHA-256) in base64; over exactly `payload`."""
        if self.verify_key is None:
            expected = hmac.new(self.secret, payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected.encode(), signature.lower().encode())
        try:
            given = base64.b64decode(signature, validate=True)
            if isinstance(self.verify_key, Ed25519PublicKey):
                self.verify_key.verify(given, payload)
            else:
                self.verify_key.verify(given, payload, PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def build_user(config: UserConfig) -> User:
    """A user with an account that holds the configured balances."""
    account = Account(config.name, config.fee_schedule())
    for asset, amount in config.balances.items():
        account.deposit(asset, amount)
    account.take_touched()
    return build_key(config, account)


def build_key(config: UserConfig, account: Account) -> User:
    """A key of an account that exists; ConfigurationError where the public key cannot be read."""
    verify_key = _read_public_key(config) if config.public_key else None
    return User(account, config.key, config.secret.encode(), verify_key, config)


def _read_public_key(config: UserConfig) -> VerifyKey:
    try:
        key = load_pem_public_key(config.public_key.strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"user {config.name!r}: public_key is not PEM ({error})") from error
    if not isinstance(key, Ed25519PublicKey | RSAPublicKey):
        raise ConfigurationError(f"user {config.name!r}: public_key is neither an Ed25519 nor an RSA key")
    return key

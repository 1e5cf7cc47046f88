"""Users and their keys: who signs how, and whether a signature is right."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from smarttrade.errors import ConfigurationError
from smarttrade.matching import Account
from smarttrade.simulator.config import UserConfig

_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")


@dataclass(slots=True)
class User:
    """One key of one account."""

    account: Account
    key: str
    secret: bytes
    verify_key: VerifyKey | None
    config: UserConfig

    @property
    def name(self) -> str:
        return self.account.name

    def has_signed(self, payload: bytes, signature: str) -> bool:
        """HMAC-SHA256 in hex, or Ed25519 in base64, over exactly `payload`."""
        if self.verify_key is None:
            expected = hmac.new(self.secret, payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected.encode(), signature.lower().encode())
        try:
            self.verify_key.verify(payload, base64.b64decode(signature, validate=True))
        except (BadSignatureError, binascii.Error, ValueError):
            return False
        return True


def build_user(config: UserConfig) -> User:
    """A user with an account that holds the configured balances."""
    account = Account(config.name, config.fee_schedule())
    for asset, amount in config.balances.items():
        account.deposit(asset, amount)
    account.take_touched()
    verify_key = _read_public_key(config) if config.public_key else None
    return User(account, config.key, config.secret.encode(), verify_key, config)


def _read_public_key(config: UserConfig) -> VerifyKey:
    lines = [line for line in config.public_key.strip().splitlines() if not line.startswith("-----")]
    try:
        der = base64.b64decode("".join(lines), validate=True)
    except binascii.Error as error:
        raise ConfigurationError(f"user {config.name!r}: public_key is not PEM ({error})") from error
    if not der.startswith(_ED25519_PREFIX) or len(der) != len(_ED25519_PREFIX) + 32:
        raise ConfigurationError(f"user {config.name!r}: public_key is not an Ed25519 key in PEM (SPKI)")
    return VerifyKey(der[len(_ED25519_PREFIX) :])

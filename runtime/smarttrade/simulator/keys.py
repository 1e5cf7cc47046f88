"""New Ed25519 and RSA keys for users: the private half stays in a file of the user's."""

import os
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from smarttrade.errors import ConfigurationError


class KeyKind(StrEnum):
    HMAC = "hmac"
    ED25519 = "ed25519"
    RSA = "rsa"


def write_key_pair(kind: KeyKind, path: Path) -> str:
    """Write a new private key (PEM, PKCS#8) to a file that does not exist yet; the public half as PEM."""
    key = Ed25519PrivateKey.generate() if kind is KeyKind.ED25519 else generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(private)
    except OSError as error:
        raise ConfigurationError(f"cannot write the private key to {path}: {error.strerror}") from error
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

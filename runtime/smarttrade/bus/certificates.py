"""TLS of the bus: an authority that is derived from the master seed, and the servers' certificates it signs.

The authority is stored nowhere: its key follows from the seed, its certificate is the same to the byte every
time (Ed25519, RFC 8032, signs without chance; its dates are fixed), so every replica of the operator, and an
operator restored from a backup, speaks for the same one. Its library is imported by whoever issues: the
accounts' containers only verify. What bites: a client takes any certificate of the
authority whose name fits, so the names are only ever those of this installation's own servers.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from smarttrade.bus.keys import derive
from smarttrade.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SCHEME = "tls"
VALID = timedelta(days=90)
_SINCE, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
_EARLIER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """Three PEM texts: the authority's certificate, the server's, and the server's private key."""

    authority: str
    certificate: str
    key: str

    def to_files(self) -> dict[str, str]:
        """By the names that a Kubernetes Secret of type `kubernetes.io/tls` has for them."""
        return {"ca.crt": self.authority, "tls.crt": self.certificate, "tls.key": self.key}


def build_authority(master: bytes) -> str:
    """The authority's certificate, which clients verify servers by (PEM)."""
    return _pem(_authority(master)[1])


def issue(master: bytes, names: Iterable[str], now: datetime) -> ServerCertificate:
    """A certificate for a server that answers to these host names and addresses, valid for `VALID`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509.oid import ExtendedKeyUsageOID

    signer, authority = _authority(master)
    key = Ed25519PrivateKey.generate()
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]  # a route's server dials others
    certificate = (
        x509.CertificateBuilder(
            authority.subject,
            _common_name("nats-server"),
            key.public_key(),
            x509.random_serial_number(),
            now - _EARLIER,
            now + VALID,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, None)
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(encoding, form, serialization.NoEncryption())
    return ServerCertificate(authority=_pem(authority), certificate=_pem(certificate), key=private.decode())


def is_due(certificate: str, names: Iterable[str], now: datetime) -> bool:
    """Whether it is to be issued anew: less than a third of its time is left, or it is for other names.

    ConfigurationError when the text is no certificate.
    """
    from cryptography import x509

    found = _read(certificate)
    lifetime = found.not_valid_after_utc - found.not_valid_before_utc
    known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(known) != {_name(each) for each in names} or found.not_valid_after_utc - now < lifetime / 3


def expires(certificate: str) -> datetime:
    """ConfigurationError when the text is no certificate."""
    return _read(certificate).not_valid_after_utc


def client_context(url: str, authority: Path | None) -> ssl.SSLContext | None:
    """How a client verifies the servers of the URL: by the authority in this file, or by the system's where
    there is none. None where the URL asks for no TLS; ConfigurationError when the file cannot be read."""
    if all(urlsplit(each).scheme != SCHEME for each in url.split(",")):
        return None
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"cannot read the NATS servers' authority {authority}: {error}") from error


def _authority(master: bytes) -> tuple[Ed25519PrivateKey, x509.Certificate]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signer = Ed25519PrivateKey.from_private_bytes(derive(master, "tls", "authority"))
    name = _common_name("SmartTrade bus")
    certificate = (
        x509.CertificateBuilder(name, name, signer.public_key(), 1, _SINCE, _UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(signer.public_key()), critical=False)
        .sign(signer, None)
    )
    return signer, certificate


def _read(certificate: str) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        raise ConfigurationError(f"the servers' certificate cannot be read: {error}") from error


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _common_name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

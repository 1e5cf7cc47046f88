"""Contexts made while authorities are put off have them when they connect, and are as strict as any."""

from __future__ import annotations

import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.pki import Authority
from smarttrade.process.authorities import authorities_later

HOST = "exchange.test"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The only one that this system trusts."""
    made = Authority(tmp_path / "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.pair.certificate))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    return made


def build_client() -> ssl.SSLContext:
    with authorities_later():
        return ssl.create_default_context()


def shake_hands(client: ssl.SSLContext, authority: Authority, host: str = HOST) -> bytes:
    """In memory, with a server of this authority; the name that its certificate was made for."""
    pair = authority.serving("server", [HOST])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=host)
    theirs = server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours, theirs):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    certificate = ours.getpeercert(binary_form=True)
    assert certificate
    return certificate


def test_nothing_is_read_before_the_first_connection_and_then_it_is_trusted(authority: Authority) -> None:
    client = build_client()
    assert client.get_ca_certs() == []
    assert shake_hands(client, authority)
    assert shake_hands(client, authority)
    assert len(client.get_ca_certs()) == 1


def test_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(build_client(), Authority(tmp_path / "foreign"))


def test_another_name_is_refused(authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(build_client(), authority, "elsewhere.test")


def test_contexts_made_afterwards_read_at_once(authority: Authority) -> None:
    build_client()
    assert len(ssl.create_default_context().get_ca_certs()) == 1


@pytest.mark.parametrize(
    "load",
    [
        "from smarttrade.exchange.loading import load_exchange_class; load_exchange_class('binance')",
        "import smarttrade_operator.main",
        "import smarttrade.simulator.__main__",
    ],
)
def test_processes_that_load_aiohttp_read_none_at_their_start(authority: Authority, load: str) -> None:
    show = "import aiohttp.connector; print(aiohttp.connector._SSL_CONTEXT_VERIFIED.get_ca_certs())"
    done = subprocess.run(
        [sys.executable, "-c", f"{load}; {show}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

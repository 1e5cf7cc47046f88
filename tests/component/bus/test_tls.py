"""TLS between clients and servers and among servers, and a certificate that is renewed under connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from smarttrade.bus.accounts import SYSTEM, platform_credentials
from smarttrade.bus.certificates import issue
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError, ConfigurationError
from tests.component.bus.servers import clustered, know_each_other

NAMES = ("127.0.0.1",)


def write(folder: Path, keys: OperatorKeys, now: datetime | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in issue(keys.master, NAMES, now or datetime.now(UTC)).to_files().items():
        (folder / name).write_text(text)
    return folder


@pytest_asyncio.fixture
async def servers(
    keys: OperatorKeys, nats_server_binary: Path, tmp_path: Path
) -> AsyncIterator[list[LocalServer]]:
    """Two that form a cluster."""
    tls = write(tmp_path / "tls", keys)
    async with clustered(2, keys, nats_server_binary, tmp_path, tls) as servers:
        yield servers


async def ignore() -> None:
    return None


async def join(url: str, keys: OperatorKeys, authority: Path | None) -> Connection:
    text = platform_credentials(keys, SYSTEM)
    return await connect(
        url, name="test", role="operator", credentials=text, on_closed=ignore, authority=authority
    )


def served_serial(connection: Connection) -> int:
    from cryptography import x509

    wire: ssl.SSLObject = connection._transport._io_writer.get_extra_info("ssl_object")  # type: ignore[union-attr]
    found = wire.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).serial_number


async def test_servers_and_clients_speak_tls_and_a_new_certificate_is_served_without_a_lost_connection(
    servers: list[LocalServer], keys: OperatorKeys
) -> None:
    tls = servers[0].tls
    assert tls is not None
    provisioner = Provisioner(servers[0].url, keys, authority=tls / "ca.crt")
    await provisioner.connect()
    try:
        await know_each_other(provisioner, 2)
        before = await join(servers[1].url, keys, tls / "ca.crt")
        reconnected: list[bool] = []

        async def note() -> None:
            reconnected.append(True)

        before.on_reconnect.append(note)
        write(tls, keys)
        await provisioner.reload()
        after = await join(servers[1].url, keys, tls / "ca.crt")
        assert served_serial(after) != served_serial(before)
        await before.flush()
        assert not reconnected
        await asyncio.gather(before.close(), after.close())
    finally:
        await provisioner.close()


async def test_a_client_refuses_a_server_that_it_cannot_verify(
    servers: list[LocalServer], keys: OperatorKeys, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", OperatorKeys.generate())
    for authority in (other / "ca.crt", None):
        with pytest.raises(BusError, match="certificate verify failed"):
            await join(servers[0].url, keys, authority)
    assert servers[0].tls is not None
    elsewhere = servers[0].url.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(BusError):
        await join(elsewhere, keys, servers[0].tls / "ca.crt")
    with pytest.raises(ConfigurationError, match="authority"):
        await join(servers[0].url, keys, tmp_path / "absent.crt")


async def test_a_client_refuses_a_certificate_that_has_expired(
    keys: OperatorKeys, nats_server_binary: Path, tmp_path: Path
) -> None:
    tls = write(tmp_path / "tls", keys, datetime.now(UTC) - timedelta(days=91))
    async with LocalServer(keys, tmp_path / "nats", binary=nats_server_binary, tls=tls) as server:
        with pytest.raises(BusError, match="certificate has expired"):
            await join(server.url, keys, tls / "ca.crt")


async def test_a_client_that_was_told_tls_says_nothing_in_the_clear(
    server: LocalServer, keys: OperatorKeys, tmp_path: Path
) -> None:
    tls = write(tmp_path / "tls", keys)
    with pytest.raises(BusError, match="does not speak TLS"):
        await join(server.url.replace("nats://", "tls://"), keys, tls / "ca.crt")

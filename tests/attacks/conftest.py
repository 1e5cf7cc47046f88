"""The enforcing parts, real and started once."""

from pathlib import Path

import pytest

from cluster import binaries


@pytest.fixture(scope="session")
def nats_server_binary() -> Path:
    """The nats-server executable."""
    return binaries.ensure("nats-server")

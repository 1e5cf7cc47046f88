"""The authority is the same wherever the seed is; certificates are due in time."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smarttrade.bus.certificates import build_authority, client_context, expires, is_due, issue
from smarttrade.errors import ConfigurationError

MASTER, OTHER = bytes(range(32)), bytes(32)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NAMES = ("nats.example", "*.nats-headless.example", "127.0.0.1")


def test_the_authority_follows_from_the_seed_alone() -> None:
    assert build_authority(MASTER) == build_authority(MASTER)
    assert build_authority(MASTER) != build_authority(OTHER)
    assert issue(MASTER, NAMES, NOW).authority == build_authority(MASTER)


def test_a_certificate_is_due_when_a_third_of_its_time_is_left_or_its_names_have_changed() -> None:
    issued = issue(MASTER, NAMES, NOW).certificate
    assert expires(issued) == NOW + timedelta(days=90)
    assert not is_due(issued, NAMES, NOW + timedelta(days=59))
    assert is_due(issued, NAMES, NOW + timedelta(days=61))
    assert is_due(issued, (*NAMES, "another.example"), NOW)
    assert not is_due(issued, reversed(NAMES), NOW)


def test_what_is_no_certificate_is_said_to_be_none() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        is_due("nonsense", NAMES, NOW)


def test_a_client_verifies_by_the_authority_and_the_name(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(build_authority(MASTER))
    context = client_context("tls://a:4222,tls://b:4222", tmp_path / "ca.crt")
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    (known,) = context.get_ca_certs()
    assert known["subject"] == ((("commonName", "SmartTrade bus"),),)


def test_a_url_without_tls_needs_no_authority(tmp_path: Path) -> None:
    assert client_context("nats://a:4222", tmp_path / "absent.crt") is None


def test_an_authority_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nonsense")
    with pytest.raises(ConfigurationError, match=r"ca\.crt"):
        client_context("tls://a:4222", tmp_path / "ca.crt")

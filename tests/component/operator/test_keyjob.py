"""The keys are made once and never again."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.bus.certificates import build_authority, expires, issue
from smarttrade.bus.keys import OperatorKeys
from smarttrade_operator.certificates import Certificates
from smarttrade_operator.kube import Kube
from smarttrade_operator.settings import Settings
from tests.component.operator.harness import Namespace


def _make(
    control_plane: ControlPlane, namespace: Namespace, *options: str
) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "smarttrade_operator.main",
        "keys",
        "--namespace",
        namespace.name,
        *options,
    ]
    environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _files(namespace: Namespace, name: str) -> dict[str, str]:
    data = namespace.get("Secret", name)["data"]
    return {file: b64decode(value).decode() for file, value in data.items()}


def test_keys_and_configuration_are_made_and_belong_together(
    control_plane: ControlPlane, namespace: Namespace
) -> None:
    assert _make(control_plane, namespace).returncode == 0
    keys = OperatorKeys.from_files(_files(namespace, "smarttrade-keys"))
    config = _files(namespace, "smarttrade-nats-config")["nats.conf"]
    assert keys.operator_jwt in config
    assert keys.master.hex() not in config


def test_a_second_run_keeps_the_keys_and_renews_the_configuration(
    control_plane: ControlPlane, namespace: Namespace
) -> None:
    assert _make(control_plane, namespace).returncode == 0
    keys = _files(namespace, "smarttrade-keys")
    routes = ("--route", "nats://nats-0:6222", "--route", "nats://nats-1:6222")
    assert _make(control_plane, namespace, *routes).returncode == 0
    assert _files(namespace, "smarttrade-keys") == keys
    assert "nats://nats-1:6222" in _files(namespace, "smarttrade-nats-config")["nats.conf"]


def test_incomplete_keys_are_an_error_and_are_not_replaced(
    control_plane: ControlPlane, namespace: Namespace
) -> None:
    namespace.create("Secret", {"metadata": {"name": "smarttrade-keys"}, "stringData": {"operator.jwt": "x"}})
    made = _make(control_plane, namespace)
    assert made.returncode == 2
    assert "master.seed" in made.stdout
    assert _files(namespace, "smarttrade-keys") == {"operator.jwt": "x"}
    assert namespace.find("Secret", "smarttrade-nats-config") is None


def test_lost_keys_are_not_made_anew_under_servers_that_use_them(
    control_plane: ControlPlane, namespace: Namespace
) -> None:
    assert _make(control_plane, namespace).returncode == 0
    namespace.delete("Secret", "smarttrade-keys")
    again = _make(control_plane, namespace)
    assert again.returncode == 2
    assert "restore the keys from a backup" in again.stdout + again.stderr
    assert namespace.find("Secret", "smarttrade-keys") is None


def test_keys_that_somebody_else_provides_are_never_made(
    control_plane: ControlPlane, namespace: Namespace
) -> None:
    missing = _make(control_plane, namespace, "--keys-secret", "elsewhere", "--keys-must-exist")
    assert missing.returncode == 2
    assert "correct keys.existingSecret" in missing.stdout + missing.stderr
    assert namespace.find("Secret", "elsewhere") is None


def test_a_certificate_is_issued_and_kept_while_it_is_good(
    control_plane: ControlPlane, namespace: Namespace
) -> None:
    options = ("--tls", "/etc/nats-tls", "--certificate-secret", "nats-tls", "--name", "nats.example")
    assert _make(control_plane, namespace, *options).returncode == 0
    keys = OperatorKeys.from_files(_files(namespace, "smarttrade-keys"))
    issued = _files(namespace, "nats-tls")
    assert issued["ca.crt"] == build_authority(keys.master)
    assert '"/etc/nats-tls/tls.crt"' in _files(namespace, "smarttrade-nats-config")["nats.conf"]
    assert _make(control_plane, namespace, *options).returncode == 0
    assert _files(namespace, "nats-tls") == issued
    assert _make(control_plane, namespace, *options, "--name", "nats-1.example").returncode == 0
    assert _files(namespace, "nats-tls")["tls.crt"] != issued["tls.crt"]


async def test_the_operator_issues_a_certificate_anew_when_it_is_due_and_has_the_servers_read_it(
    control_plane: ControlPlane,
    namespace: Namespace,
    operator_kubeconfig: Path,
    keys: OperatorKeys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, now = ("nats.example",), datetime.now(UTC)
    old = issue(keys.master, names, now).to_files()
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    namespace.create("Secret", {"metadata": {"name": "nats-tls"}, "stringData": old})
    settings = Settings.from_environment(
        {
            "SMARTTRADE_RUNTIME_IMAGE": "runtime",
            "SMARTTRADE_OPERATOR_NAMESPACE": namespace.name,
            "SMARTTRADE_NATS_URL": "tls://nats.example:4222",
            "SMARTTRADE_NATS_TLS": str(tmp_path),
            "SMARTTRADE_NATS_CERTIFICATE": "nats-tls",
            "SMARTTRADE_NATS_NAMES": ",".join(names),
        }
    )
    reloads: list[bool] = []

    async def reload() -> None:
        reloads.append(True)

    monkeypatch.setenv("KUBECONFIG", str(operator_kubeconfig))
    clock = [now.timestamp()]
    async with await Kube.connect() as kube:
        certificates = Certificates(kube, settings, keys.master, reload, lambda: clock[0])
        await certificates.look()
        assert _files(namespace, "nats-tls") == old
        clock[0] += timedelta(days=61).total_seconds()
        await certificates.look()
    renewed = _files(namespace, "nats-tls")
    assert expires(renewed["tls.crt"]) > now + timedelta(days=150)
    assert renewed["ca.crt"] == old["ca.crt"]
    assert renewed["tls.key"] != old["tls.key"]
    assert reloads == [True, True]

"""The configuration that the key job writes is one that nats-server accepts."""

from __future__ import annotations

import argparse
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smarttrade.bus.certificates import issue
from smarttrade.bus.keys import OperatorKeys
from smarttrade_operator.keyjob import KeyJob, add_arguments, build_server_config, from_arguments
from tests.component.chart import helm
from tests.component.chart.installation import await_answer, free_port

KEYS = OperatorKeys.generate()


def _job(replicas: int, store: Path) -> KeyJob:
    """As the chart runs it; data and certificate are in the folder."""
    container = helm.template({"nats.replicas": replicas}).one("Job", "smarttrade-keys")
    arguments = container["spec"]["template"]["spec"]["containers"][0]["args"]
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    job = from_arguments(parser.parse_args([*arguments, f"--store-dir={store}", f"--tls={store}"]))
    for name, text in issue(KEYS.master, job.names, datetime.now(UTC)).to_files().items():
        (store / name).write_text(text)
    return job


@pytest.mark.parametrize("replicas", [1, 3])
def test_nats_server_accepts_the_configuration(
    replicas: int, nats_server_binary: Path, tmp_path: Path
) -> None:
    job = _job(replicas, tmp_path)
    assert len(job.routes) == (3 if replicas == 3 else 0)
    configuration = tmp_path / "nats.conf"
    configuration.write_text(build_server_config(KEYS, job))
    environment = {**os.environ, "SERVER_NAME": "smarttrade-nats-0"}
    done = subprocess.run(
        [str(nats_server_binary), "-t", "-c", str(configuration)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


def test_the_server_is_named_after_its_pod() -> None:
    container = helm.template().one("StatefulSet", "smarttrade-nats")["spec"]["template"]["spec"][
        "containers"
    ][0]
    named = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in container["env"]}
    assert named == {KeyJob(namespace="x").server_name.removeprefix("$"): "metadata.name"}


def test_the_probes_of_the_chart_are_answered(nats_server_binary: Path, tmp_path: Path) -> None:
    client, monitor = free_port(), free_port()
    text = build_server_config(KEYS, _job(1, tmp_path))
    text = text.replace("0.0.0.0:4222", f"127.0.0.1:{client}").replace("0.0.0.0:8222", f"127.0.0.1:{monitor}")
    (tmp_path / "nats.conf").write_text(text)
    command = [str(nats_server_binary), "-c", str(tmp_path / "nats.conf")]
    with subprocess.Popen(
        command, env={**os.environ, "SERVER_NAME": "nats-0"}, stderr=subprocess.DEVNULL
    ) as server:
        try:
            for path in _probe_paths(helm.template().one("StatefulSet", "smarttrade-nats")):
                assert await_answer(f"http://127.0.0.1:{monitor}{path}") == 200
        finally:
            server.terminate()


def _probe_paths(workload: helm.Manifest) -> list[str]:
    container = workload["spec"]["template"]["spec"]["containers"][0]
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    return [container[probe]["httpGet"]["path"] for probe in probes]

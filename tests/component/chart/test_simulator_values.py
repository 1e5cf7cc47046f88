"""The simulator's values become a configuration that the simulator reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smarttrade.simulator.config import check_config, load_config
from tests.component.chart import helm
from tests.component.chart.installation import await_answer, free_port
from tests.component.chart.settings import SIMULATOR, TOGGLES


@pytest.mark.parametrize("name", [name for name in TOGGLES if name.startswith("simulator")])
def test_the_simulator_understands_its_configuration(name: str, tmp_path: Path) -> None:
    values = TOGGLES[name]
    secret = helm.template(values).one("Secret", "smarttrade-simulator")
    (tmp_path / "simulator.yaml").write_text(secret["stringData"]["simulator.yaml"])
    config = load_config(tmp_path / "simulator.yaml")
    check_config(config)
    assert [user.name for user in config.users] == [user["name"] for user in values["simulator.users"]]
    assert config.admin_token == secret["stringData"]["adminToken"] != ""
    if "simulator.dataFile" in values:
        assert (config.data, config.state) == ("/data/btc.csv", "/state")
        assert (config.compress, config.seed, config.volume) == (60, 7, "quote")


def test_the_probes_and_the_test_of_the_chart_are_answered(tmp_path: Path) -> None:
    rendering = helm.template(SIMULATOR)
    ports = {"http": free_port(), "admin": free_port()}
    text = rendering.one("Secret", "smarttrade-simulator")["stringData"]["simulator.yaml"]
    text = text.replace("0.0.0.0", "127.0.0.1")
    text = text.replace("8080", str(ports["http"])).replace("8090", str(ports["admin"]))
    (tmp_path / "simulator.yaml").write_text(text)
    container = rendering.one("Deployment", "smarttrade-simulator")["spec"]["template"]["spec"]["containers"][
        0
    ]
    python, *arguments = container["command"]
    assert python == "python"
    command = [sys.executable, *arguments[:-1], str(tmp_path / "simulator.yaml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as simulator:
        try:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container[probe]["httpGet"]
                assert await_answer(f"http://127.0.0.1:{ports[asked['port']]}{asked['path']}") == 200
            assert await_answer(f"http://127.0.0.1:{ports['http']}/api/v3/ping") == 200
        finally:
            simulator.terminate()

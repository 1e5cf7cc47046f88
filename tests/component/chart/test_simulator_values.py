"""The simulator's values become a configuration that the simulator reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from smarttrade.simulator.config import check_config, load_config
from tests.component.chart import helm
from tests.component.chart.settings import TOGGLES


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
        assert (config.data, config.compress, config.seed) == ("/data/btc.csv", 60, 7)

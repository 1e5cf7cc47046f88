"""The installed release: it passes its own test, and an upgrade makes no new keys and restarts nothing."""

from __future__ import annotations

from tests.e2e.operator.conftest import CHART, RELEASE, Platform


def test_the_charts_own_test_passes(platform: Platform) -> None:
    said = platform.helm("test", RELEASE, "--timeout=120s")
    assert "Phase:          Succeeded" in said


def test_an_upgrade_keeps_the_keys_and_restarts_nothing(platform: Platform) -> None:
    secret = platform.system.get("Secret", f"{RELEASE}-keys")
    pods = _running(platform)
    options = ["--reuse-values", "--set=rbac.aggregateToDefaultRoles=false", "--wait", "--timeout=120s"]
    said = platform.helm("upgrade", RELEASE, str(CHART), *options)
    assert "REVISION: 2" in said
    assert platform.system.get("Secret", f"{RELEASE}-keys") == secret
    assert _running(platform) == pods


def _running(platform: Platform) -> set[str]:
    return {pod["metadata"]["uid"] for pod in platform.system.items("Pod")}

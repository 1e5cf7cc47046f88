"""The images are small, carry no tests, and run as anybody but root."""

from collections.abc import Callable

import pytest

from cluster.kubectl import Kubectl, build_pod

# Bytes of everything that the images have above their base.
LIMIT = {"operator": 200 * 10**6, "runtime": 260 * 10**6, "research": 520 * 10**6}


@pytest.mark.parametrize("image", LIMIT)
def test_image_is_lean_and_works_for_any_user(
    cluster: Kubectl, images: dict[str, str], namespace: Callable[..., str], image: str
) -> None:
    home = namespace({"pod-security.kubernetes.io/enforce": "restricted"})
    pod = build_pod("probe", images[image], ["sleep", "infinity"], {})
    pod["spec"]["securityContext"]["runAsUser"] = 23456
    pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = True
    cluster.apply(pod, namespace=home)
    cluster.wait_ready(home, "probe")

    def said(*command: str) -> str:
        done = cluster.exec(home, "probe", *command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    size = int(said("du", "-sb", "/opt/smarttrade").split()[0])
    print(f"{image}: {size / 10**6:.1f} MB")
    assert size <= LIMIT[image]
    assert said("find", "/opt/smarttrade", "-type", "d", "-name", "tests") == ""
    package = "smarttrade_operator" if image == "operator" else "smarttrade.messages"
    assert said("python", "-c", f"import {package}; print('works')") == "works\n"
    uncompiled = "find /opt/smarttrade/lib -path '*/smarttrade/*.py' | wc -l"
    compiled = "find /opt/smarttrade/lib -path '*/smarttrade/*__pycache__/*.pyc' | wc -l"
    assert said("sh", "-c", uncompiled) == said("sh", "-c", compiled)

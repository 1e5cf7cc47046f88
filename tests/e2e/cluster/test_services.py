"""Names, service addresses and volumes work as pods expect."""

from collections.abc import Callable

from cluster.kubectl import Kubectl, build_pod
from tests.e2e.cluster.conftest import Stage
from tests.e2e.cluster.talking import TCP_PORT


def build_service(name: str) -> dict[str, object]:
    ports = [{"port": 80, "targetPort": "greet"}]
    spec = {"selector": {"role": "listener"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def test_service_is_found_by_its_name_from_another_namespace(stage: Stage) -> None:
    stage.cluster.apply(build_service("greeter"), namespace=stage.home)
    stage.carol.reaches_soon(f"greeter.{stage.home}.svc.cluster.local", 80)


def test_service_address_reaches_the_pod_behind_it(stage: Stage) -> None:
    stage.cluster.apply(build_service("by-address"), namespace=stage.home)
    service = stage.cluster.get("service", "by-address", f"--namespace={stage.home}")
    stage.alice.reaches_soon(service["spec"]["clusterIP"], 80)


def test_pod_address_is_reached_directly(stage: Stage) -> None:
    assert stage.carol.reaches(stage.listener, TCP_PORT)


def test_claim_gets_a_volume_that_a_restricted_pod_can_write(
    cluster: Kubectl, images: dict[str, str], namespace: Callable[..., str]
) -> None:
    home = namespace({"pod-security.kubernetes.io/enforce": "restricted"})
    pod = build_pod("writer", images["runtime"], ["sh", "-c", "echo kept > /data/note && sleep infinity"], {})
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    cluster.apply(claim, pod, namespace=home)
    cluster.wait_ready(home, "writer")
    assert cluster.exec(home, "writer", "cat", "/data/note").stdout == "kept\n"

"""Persistent volumes for claims: folders of the cluster's own folder, gone with the claim.

`python -m cluster.node.volumes KUBECONFIG`. Kubernetes' own provisioner for folders makes them for root
only, and containers here never run as root.
"""

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from cluster.api import Api, ApiRefused
from cluster.netpol.watch import Mirror
from cluster.node.configuration import PROVISIONER
from cluster.node.layout import INSIDE

Document = dict[str, Any]
CLASS = "standard"
VOLUMES = INSIDE / "volumes"
_VOLUMES_PATH = "/api/v1/persistentvolumes"


def build_volume(claim: Document, folder: Path) -> Document:
    """The volume in `folder` for `claim`, bound to it from the start."""
    metadata, spec = claim["metadata"], claim["spec"]
    reference = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{metadata['uid']}",
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "storageClassName": CLASS,
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            # Deleted here, not by a plugin that does not exist.
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder), "type": "Directory"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
        },
    }


def wants_volume(claim: Document) -> bool:
    """Whether the claim waits for one of our volumes."""
    spec = claim["spec"]
    return (
        spec.get("storageClassName") == CLASS
        and not spec.get("volumeName")
        and "deletionTimestamp" not in claim["metadata"]
    )


def is_ours_and_free(volume: Document) -> bool:
    """Whether the volume is one of ours whose claim is gone."""
    made_by = (volume["metadata"].get("annotations") or {}).get("pv.kubernetes.io/provisioned-by")
    return made_by == PROVISIONER and volume.get("status", {}).get("phase") == "Released"


def main() -> None:
    api, changed = Api(Path(sys.argv[1])), threading.Event()
    claims = Mirror(api, "/api/v1/persistentvolumeclaims", changed.set)
    volumes = Mirror(api, _VOLUMES_PATH, changed.set)
    for mirror in (claims, volumes):
        mirror.is_synced.wait()
    while changed.wait():
        changed.clear()
        known = {name for _, name in volumes.objects}
        for claim in claims.objects.values():
            if wants_volume(claim) and f"pvc-{claim['metadata']['uid']}" not in known:
                _provide(api, claim)
        for volume in volumes.objects.values():
            if is_ours_and_free(volume):
                _remove(api, volume)


def _provide(api: Api, claim: Document) -> None:
    folder = VOLUMES / f"pvc-{claim['metadata']['uid']}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    api.apply(f"{_VOLUMES_PATH}/{folder.name}", build_volume(claim, folder))


def _remove(api: Api, volume: Document) -> None:
    try:
        api.call("DELETE", f"{_VOLUMES_PATH}/{volume['metadata']['name']}")
    except ApiRefused as refusal:
        if refusal.status != 404:
            raise
    shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)


if __name__ == "__main__":
    main()

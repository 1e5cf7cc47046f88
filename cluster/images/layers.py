"""Only the layers that a node lacks: a docker archive cut down to what has to be sent.

Engines write whole images, and almost all of an image is the base and the dependencies, which the node
has already. containerd takes an OCI archive that names layers without carrying them.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def cut_down(archive: Path, target: Path, reference: str, present: Collection[str]) -> None:
    """Write the image in the docker `archive` to `target` as OCI, without the blobs in `present`.

    `present` holds digests (`sha256:...`); layers are named by the digest of their uncompressed tar.
    """
    with tarfile.open(archive) as source, tarfile.open(target, "w") as out:
        listed = json.load(_member(source, "manifest.json"))[0]
        config = _member(source, listed["Config"]).read()
        digests = json.loads(config)["rootfs"]["diff_ids"]
        sizes = [source.getmember(name).size for name in listed["Layers"]]
        manifest = json.dumps(_build_manifest(config, digests, sizes)).encode()
        _add(out, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _add(out, "index.json", json.dumps(_build_index(manifest, reference)).encode())
        _add(out, _blob(_digest(manifest)), manifest)
        _add(out, _blob(_digest(config)), config)
        for name, digest in zip(listed["Layers"], digests, strict=True):
            if digest not in present:
                entry = tarfile.TarInfo(_blob(digest))
                entry.size = source.getmember(name).size
                out.addfile(entry, _member(source, name))


def _build_manifest(config: bytes, digests: list[str], sizes: list[int]) -> dict[str, Any]:
    layers = [
        {"mediaType": _LAYER, "digest": digest, "size": size}
        for digest, size in zip(digests, sizes, strict=True)
    ]
    described = {"mediaType": _CONFIG, "digest": _digest(config), "size": len(config)}
    return {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": layers}


def _build_index(manifest: bytes, reference: str) -> dict[str, Any]:
    described = {
        "mediaType": _MANIFEST,
        "digest": _digest(manifest),
        "size": len(manifest),
        "annotations": {"io.containerd.image.name": reference},
    }
    return {"schemaVersion": 2, "manifests": [described]}


def _member(source: tarfile.TarFile, name: str) -> io.BufferedIOBase:
    file = source.extractfile(name)
    if file is None:
        raise ValueError(f"{source.name!s} has no file {name}; it is no docker archive")
    return file  # type: ignore[return-value]


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    out.addfile(entry, io.BytesIO(content))


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"

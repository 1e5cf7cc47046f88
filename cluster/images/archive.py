"""A docker image archive with one static program on an empty file system, written without any engine."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

_EPOCH = "1970-01-01T00:00:00Z"
_BILLS = "opt/smarttrade/sbom"


def write_program_image(archive: Path, reference: str, program: Path, bills: Sequence[Path] = ()) -> None:
    """Write an image that runs `program` and has it in PATH, and its bills of materials where every image has
    them; equal input gives an equal file."""
    place = f"usr/local/bin/{program.name}"
    told = {f"{_BILLS}/{bill.name}": (bill.read_bytes(), 0o644) for bill in bills}
    layer = _tar({place: (program.read_bytes(), 0o755)} | told)
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(_build_config(f"/{place}", layer_digest)).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": [f"{layer_digest}.tar"]}]
    unfinished = archive.with_suffix(".unfinished")
    unfinished.write_bytes(
        _tar(
            {
                config_name: (config, 0o644),
                f"{layer_digest}.tar": (layer, 0o644),
                "manifest.json": (json.dumps(manifest).encode(), 0o644),
            }
        )
    )
    unfinished.rename(archive)


def _build_config(entrypoint: str, layer_digest: str) -> dict[str, object]:
    return {
        "created": _EPOCH,
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [entrypoint], "Env": [f"PATH={Path(entrypoint).parent}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": _EPOCH, "created_by": "smarttrade"}],
    }


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()

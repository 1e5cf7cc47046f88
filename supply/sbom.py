"""Bills of materials in CycloneDX 1.6, the same bytes for the same lock files.

No time of making and no random serial number: a bill is held to its lock file by comparing them.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from supply.lock import Pin, read_lock
from supply.modules import Module, read_modules

Part = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
CHART = ROOT / "charts" / "smarttrade"
GO = ROOT / "cluster" / "go"
LICENCE = "Apache-2.0"
_IMAGES = {
    "operator": ("smarttrade-operator", ("operator.txt",)),
    "runtime": ("smarttrade-runtime", ("runtime.txt",)),
    "research": ("smarttrade-runtime-research", ("runtime.txt", "research.txt")),
}
# Of one static program each, on nothing else.
_PROGRAMS = {"nats": "nats-server", "gateway": "egress-gateway"}


def build_all() -> dict[Path, str]:
    """Every bill by the file that it belongs in."""
    version = _version()
    bills = {
        REQUIREMENTS / "sbom" / f"{name}.cdx.json": _image_bill(image, version, files)
        for name, (image, files) in _IMAGES.items()
    }
    bills |= {
        REQUIREMENTS / "sbom" / f"{name}.cdx.json": _program_bill(f"smarttrade-{name}", version, module)
        for name, module in _PROGRAMS.items()
    }
    return bills | {CHART / "sbom.cdx.json": _chart_bill(version)}


def _version() -> str:
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "runtime/smarttrade/_version.py").read_text())
    assert found is not None
    return found[1]


def _image_bill(image: str, version: str, files: Iterable[str]) -> str:
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert base is not None
    pins = sorted({pin for file in files for pin in read_lock(REQUIREMENTS / file)})
    return _render(image, version, "container", [_container(base[1]), *map(_package, pins)])


def _program_bill(image: str, version: str, module: str) -> str:
    return _render(image, version, "container", map(_module, read_modules(GO / module)))


def _chart_bill(version: str) -> str:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    images = [values[part]["image"] for part in ("operator", "runtime", "nats", "egressGateway")]
    named = [f"{image['repository']}:{image['tag'] or version}" for image in images]
    return _render("smarttrade-chart", version, "application", [_container(each) for each in named])


def _render(name: str, version: str, kind: str, parts: Iterable[Part]) -> str:
    components = list(parts)
    subject = {
        "type": kind,
        "bom-ref": name,
        "name": name,
        "version": version,
        "licenses": [{"license": {"id": LICENCE}}],
    }
    depends = [{"ref": name, "dependsOn": [each["bom-ref"] for each in components]}]
    content = {"metadata": {"component": subject}, "components": components, "dependencies": depends}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return json.dumps(head | content, indent=1) + "\n"


def _container(reference: str) -> Part:
    name, _, tag = reference.rpartition(":")
    purl = f"pkg:oci/{name.rsplit('/', 1)[-1]}?tag={tag}"
    return {"type": "container", "bom-ref": purl, "name": name, "version": tag, "purl": purl}


def _package(pin: Pin) -> Part:
    part: Part = {
        "type": "library",
        "bom-ref": f"{pin.purl}#{pin.marker}" if pin.marker else pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
    }
    return part | ({"properties": [{"name": "marker", "value": pin.marker}]} if pin.marker else {})


def _module(module: Module) -> Part:
    return {
        "type": "library",
        "bom-ref": module.purl,
        "name": module.name,
        "version": module.version,
        "purl": module.purl,
        "properties": [{"name": "go.sum", "value": module.content}],
    }

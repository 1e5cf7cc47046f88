"""Bills of materials say what is locked, and the audit finds what must not be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.images import platform, system
from supply.audit import Advisories, Advisory, audit, audit_licences
from supply.lock import Pin, UnpinnedError, read_lock
from supply.modules import read_modules
from supply.sbom import REQUIREMENTS, build_all

KNOWN = Advisories("2026-01-01", (Advisory("leaky", "2.10.0", "CVE-1"),))
HASH = "a" * 64


def test_bills_name_everything_that_an_image_installs() -> None:
    bill = json.loads(build_all()[REQUIREMENTS / "sbom" / "runtime.cdx.json"])
    locked = {pin.purl for pin in read_lock(REQUIREMENTS / "runtime.txt")}
    named = {each["purl"] for each in bill["components"] if each["type"] == "library"}
    assert named == locked
    assert any(each["type"] == "container" for each in bill["components"]), "and the base"
    refs = [each["bom-ref"] for each in bill["components"]]
    assert len(refs) == len(set(refs))


def test_modules_are_those_required_each_held_to_its_content(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(
        "module a.example/own\n\ngo 1.26.0\n\nrequire b.example/One v1.0.0\n\n"
        "require (\n\tc.example/two/v2 v2.0.0+incompatible // indirect\n)\n"
    )
    held = ["b.example/One v1.0.0 h1:b", "c.example/two/v2 v2.0.0+incompatible h1:c", "d.example v1.0.0 h1:d"]
    (tmp_path / "go.sum").write_text("\n".join(held) + "\n")
    assert [(each.purl, each.content) for each in read_modules(tmp_path)] == [
        ("pkg:golang/b.example/one@v1.0.0", "h1:b"),
        ("pkg:golang/c.example/two/v2@v2.0.0%2Bincompatible", "h1:c"),
    ]
    (tmp_path / "go.sum").write_text("b.example/One v1.0.0/go.mod h1:b\n")
    with pytest.raises(UnpinnedError, match=r"does not hold b\.example/One v1"):
        read_modules(tmp_path)


def test_every_image_of_the_platform_has_a_bill() -> None:
    images = {image.target for image in platform.images("base:1")} | set(system.PLATFORM)
    assert {path.name for path in build_all() if path.parent.name == "sbom"} == {
        f"{image}.cdx.json" for image in images
    }


def test_the_bills_in_the_repository_are_of_what_is_locked() -> None:
    for path, text in build_all().items():
        assert path.read_text() == text, path


def test_a_lock_admits_one_version_only(tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(
        f"# comment\nA_b[c]==1.0 ; python_version < '3.12' \\\n    --hash=sha256:{HASH}\n    # via x\n"
    )
    assert read_lock(path) == [Pin("a-b", "1.0", "python_version < '3.12'", (HASH,))]
    path.write_text("a>=1\n")
    with pytest.raises(UnpinnedError, match="a>=1"):
        read_lock(path)


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        (Pin("leaky", "2.9.9", hashes=(HASH,)), ["CVE-1"]),
        (Pin("leaky", "2.10.0", hashes=(HASH,)), []),
        (Pin("tight", "0.1", hashes=(HASH,)), []),
        (Pin("tight", "0.1"), ["without a hash"]),
    ],
)
def test_the_audit_finds_what_is_vulnerable_or_not_held_by_a_hash(pin: Pin, words: list[str]) -> None:
    complaints = list(audit([pin], KNOWN))
    assert len(complaints) == len(words)
    assert all(word in complaint for word, complaint in zip(words, complaints, strict=True))


def test_what_is_not_installed_here_has_no_licence_to_look_at() -> None:
    assert list(audit_licences(["no-such-package-anywhere", "pydantic"])) == []

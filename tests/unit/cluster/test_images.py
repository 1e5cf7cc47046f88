"""Build contexts, archives and tags."""

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from cluster.images import archive, context, layers, platform, system
from cluster.paths import REPOSITORY


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name, text in {
        "Dockerfile": "FROM scratch",
        "LICENSE": "",
        "README.md": "",
        "pyproject.toml": "",
        "requirements/runtime.txt": "",
        "requirements/build.in": "",
        "operator/a.py": "a",
        "runtime/b.py": "b",
        "runtime/__pycache__/b.pyc": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_context_has_sources_and_locks_only(repository: Path) -> None:
    names = {str(file.relative_to(repository)) for file in context.source_files(repository)}
    assert names == {
        "Dockerfile",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements/runtime.txt",
        "operator/a.py",
        "runtime/b.py",
    }


def test_tag_follows_content_and_arguments(repository: Path) -> None:
    before = context.digest("base", repository=repository)
    assert context.digest("base", repository=repository) == before
    assert context.digest("base", "another", repository=repository) != before
    (repository / "runtime" / "b.py").rename(repository / "runtime" / "c.py")
    assert context.digest("base", repository=repository) != before


def test_the_research_image_is_built_above_the_runtime_and_does_not_change_it() -> None:
    images = {image.target: image for image in platform.images("base:1")}
    assert images["research"].stages[:-1] == images["runtime"].stages
    assert images["research"].reference != images["runtime"].reference
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    assert "FROM ${RUNTIME_BASE} AS research-base" in dockerfile
    for image in images.values():
        for stage in image.stages:
            assert f"ARG {stage.replace('-', '_').upper()}={stage}\n" in dockerfile


def test_an_image_has_one_folder_above_its_base() -> None:
    stages = re.split(r"(?m)^FROM \S+ AS ", (REPOSITORY / "Dockerfile").read_text())[1:]
    text = {name: rest for name, _, rest in (stage.partition("\n") for stage in stages)}
    for image in platform.images("base:1"):
        for stage in (*image.stages, image.target):
            added = re.findall(r"(?m)^(?:COPY|ADD|RUN) .*", text[stage])
            assert added
            assert all(re.fullmatch(r"COPY .* /opt/smarttrade(/\S*)?", line) for line in added), added


def test_pip_settings_of_the_environment_win_over_files() -> None:
    listing = ":env:.index-url='https://environment.example/simple'\nglobal.index-url='https://file.example/simple'\n"
    assert context.parse_settings(listing) == {"index-url": "https://environment.example/simple"}


def test_pip_conf_means_inside_what_it_means_outside() -> None:
    settings = {
        "index-url": "https://mirror.example/simple",
        "cert": "/etc/authority.pem",
        "find-links": "/wheels https://more.example/wheels",
        "target": "/somewhere",
    }
    assert context.build_pip_conf(settings, has_authority=True, has_wheels=True).splitlines() == [
        "[global]",
        "cert = /opt/build/ca-bundle.crt",
        "find-links = https://more.example/wheels",
        "    /opt/build/wheels",
        "index-url = https://mirror.example/simple",
    ]


def test_bare_machine_gets_an_empty_pip_conf() -> None:
    assert context.build_pip_conf({}, has_authority=False, has_wheels=False) == "[global]\n"


def test_authority_is_the_first_configured_one_that_exists(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    environment = {"PIP_CERT": "/absent.pem", "SSL_CERT_FILE": str(bundle)}
    assert context.find_authority({}, environment) == bundle
    assert context.find_authority({}, {}) is None


def test_program_image_is_the_same_for_the_same_program(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"static")
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    for target in (first, second):
        archive.write_program_image(target, "docker.io/library/program:1", program)
    assert first.read_bytes() == second.read_bytes()


def test_a_program_image_has_its_bill_of_materials(tmp_path: Path) -> None:
    program, bill, image = (tmp_path / name for name in ("program", "program.cdx.json", "image.tar"))
    program.write_bytes(b"static")
    bill.write_bytes(b"{}")
    archive.write_program_image(image, "docker.io/library/program:1", program, [bill])
    [layer] = [content for name, content in members(image).items() if name.endswith(".tar")]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert tar.getnames() == ["usr/local/bin/program", "opt/smarttrade/sbom/program.cdx.json"]


def test_the_tag_of_a_platforms_program_follows_its_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    with_bill = system.reference("gateway")
    monkeypatch.setattr(system, "_bills", lambda name: [])
    assert with_bill.startswith(system.reference("gateway") + "-")


def test_only_missing_layers_are_sent(tmp_path: Path) -> None:
    program, whole, reduced = (tmp_path / name for name in ("program", "whole.tar", "reduced.tar"))
    program.write_bytes(b"static")
    archive.write_program_image(whole, "docker.io/library/program:1", program)
    with tarfile.open(whole) as source:
        layer = next(name for name in source.getnames() if name.endswith(".tar"))
        digest = f"sha256:{layer.removesuffix('.tar')}"
    for present, is_sent in (([], True), ([digest], False)):
        layers.cut_down(whole, reduced, "docker.io/library/program:1", present)
        assert (f"blobs/{digest.replace(':', '/')}" in members(reduced)) is is_sent


def test_reduced_archive_names_every_blob_by_its_digest(tmp_path: Path) -> None:
    program, whole, reduced = (tmp_path / name for name in ("program", "whole.tar", "reduced.tar"))
    program.write_bytes(b"static")
    archive.write_program_image(whole, "docker.io/library/program:1", program)
    layers.cut_down(whole, reduced, "docker.io/library/program:1", [])
    files = members(reduced)
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}
    assert len(blobs) == 3
    assert all(
        name.rpartition("/")[2] == hashlib.sha256(content).hexdigest() for name, content in blobs.items()
    )
    [manifest] = json.loads(files["index.json"])["manifests"]
    assert manifest["annotations"] == {"io.containerd.image.name": "docker.io/library/program:1"}


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {each.name: (tar.extractfile(each) or io.BytesIO()).read() for each in tar.getmembers()}

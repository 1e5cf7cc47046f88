"""The build context: a folder with exactly what goes into the images, and this machine's way to packages.

A machine may reach its package index only with a pip configuration or a certificate authority of its own.
Both are put beside the sources, where the Dockerfile's throw-away stages pick them up.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cluster.commands import succeeds
from cluster.paths import REPOSITORY, cache_folder, scratch_folder

SOURCES = ("Dockerfile", "LICENSE", "README.md", "pyproject.toml", "requirements", "operator", "runtime")
_AUTHORITY_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_FOLDER = "/opt/build"
_PASSED_ON = {
    "index-url",
    "extra-index-url",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
}


def fill(folder: Path, repository: Path = REPOSITORY) -> None:
    """Copy the sources and this machine's pip settings into the empty `folder`."""
    for file in source_files(repository):
        target = folder / file.relative_to(repository)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    settings = pip_settings()
    authority = find_authority(settings, os.environ)
    if authority is not None:
        shutil.copyfile(authority, folder / "ca-bundle.crt")
    wheels = [wheel for place in local_folders(settings) for wheel in sorted(place.glob("*.whl"))]
    (folder / "wheels").mkdir()
    for wheel in [*wheels, *pip_wheels(repository)]:
        shutil.copyfile(wheel, folder / "wheels" / wheel.name)
    (folder / "pip.conf").write_text(build_pip_conf(settings, authority is not None, bool(wheels)))


def source_files(repository: Path = REPOSITORY) -> Iterator[Path]:
    """Files that go into the images, in a stable order; no byte code, no lists of inputs."""
    for name in SOURCES:
        place = repository / name
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".in":
                yield file


def digest(*extra: str, repository: Path = REPOSITORY) -> str:
    """Twelve hex digits that change with any source file, its place, or `extra`."""
    return digest_of(list(source_files(repository)), *extra, root=repository)


def digest_of(files: Sequence[Path], *extra: str, root: Path | None = None) -> str:
    """Twelve hex digits of the files' names (below `root`, if given) and content, and of `extra`."""
    total = hashlib.sha256("\0".join(extra).encode())
    for file in files:
        name = file.relative_to(root) if root else file.name
        total.update(f"\0{name}\0".encode() + file.read_bytes())
    return total.hexdigest()[:12]


def pip_wheels(repository: Path = REPOSITORY) -> list[Path]:
    """The locked pip as a wheel, for base images whose Python comes without; none where it cannot be had."""
    lock = (repository / "requirements" / "build.txt").read_text()
    match = re.search(r"^pip==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    if match is None:
        return []
    folder = cache_folder() / "images" / f"pip-{hashlib.sha256(match[0].encode()).hexdigest()[:12]}"
    if not folder.exists():
        with scratch_folder("pip") as scratch:
            wanted, unfinished = scratch / "pip.txt", scratch / "wheels"
            wanted.write_text(match[0])
            words = [
                "download",
                "-q",
                "--no-deps",
                "--require-hashes",
                "--only-binary=:all:",
                "-r",
                str(wanted),
            ]
            if not succeeds([sys.executable, "-m", "pip", *words, "-d", str(unfinished)], timeout_s=300):
                return []
            unfinished.rename(folder)
    return sorted(folder.glob("*.whl"))


def pip_settings() -> dict[str, str]:
    """What pip on this machine is told by files and environment; empty where there is no pip."""
    for python in (sys.executable, "python3"):
        done = subprocess.run(
            [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return parse_settings(done.stdout)
    return {}


def parse_settings(listing: str) -> dict[str, str]:
    """`global.index-url='https://...'` lines -> {"index-url": ...}; the environment wins over files."""
    pairs = [line.split("=", 1) for line in listing.splitlines() if "=" in line]
    order = sorted(pairs, key=lambda pair: pair[0].startswith(":env:"))
    return {name.rpartition(".")[2]: value.strip().strip("'\"") for name, value in order}


def find_authority(settings: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """The machine's bundle of certificate authorities, where one is configured."""
    named = [settings.get("cert"), *(environment.get(name) for name in _AUTHORITY_VARIABLES)]
    return next((Path(each) for each in named if each and Path(each).is_file()), None)


def local_folders(settings: Mapping[str, str]) -> list[Path]:
    """Folders of this machine in which pip looks for wheels."""
    places = settings.get("find-links", "").replace("\\n", " ").split()
    return [
        Path(place.removeprefix("file://"))
        for place in places
        if Path(place.removeprefix("file://")).is_dir()
    ]


def build_pip_conf(settings: Mapping[str, str], has_authority: bool, has_wheels: bool) -> str:
    """A pip.conf that means inside the build what `settings` mean on this machine."""
    chosen = {name: value.replace("\\n", "\n") for name, value in settings.items() if name in _PASSED_ON}
    remote = [place for place in settings.get("find-links", "").replace("\\n", " ").split() if "://" in place]
    places = [
        *(place for place in remote if not place.startswith("file:")),
        *([f"{_FOLDER}/wheels"] * has_wheels),
    ]
    if places:
        chosen["find-links"] = "\n".join(places)
    if has_authority:
        chosen["cert"] = f"{_FOLDER}/ca-bundle.crt"
    lines = [f"{name} = {value}".replace("\n", "\n    ") for name, value in sorted(chosen.items())]
    return "\n".join(["[global]", *lines, ""])

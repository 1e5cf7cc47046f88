"""The platform's images: built when their content changed, and brought to where the cluster finds them.

A tag is the digest of everything that goes into the image, so equal content is never built or sent twice
and a pod's image never changes under its name.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import kind
from cluster.images import base, buildah, context, docker, history, system
from cluster.locks import exclusive
from cluster.node import containerd, system_packages
from cluster.node.layout import Instance
from cluster.paths import cache_folder, scratch_folder
from cluster.progress import say, step
from cluster.target import Origin, Target

_DOCKER_BASE = "python:3.13-slim"
_LOCKS = ("build", "operator", "runtime", "research")
_STAGES = {
    "operator": ("operator-base",),
    "runtime": ("runtime-base",),
    "research": ("runtime-base", "research-base"),
}


@dataclass(frozen=True)
class Image:
    """One target of the Dockerfile under its short `reference`; `stages` are what it is built on, one on the
    other, which change with the lock files only."""

    target: str
    reference: str
    arguments: Mapping[str, str]
    stages: tuple[str, ...]

    @property
    def full_reference(self) -> str:
        """As containerd names it."""
        return f"docker.io/library/{self.reference}"


def bring(where: Target, *, research: bool = False) -> dict[str, str]:
    """Build what changed and load it into `where`; short name -> reference to give to the chart.

    Without `research` the image of that name is left out, and only named. With REGISTRY the images are pushed
    there, which is the only way into a cluster that was not made here.
    """
    use_docker = _uses_docker(where)
    with exclusive(_lock()):
        known = images(base_image(use_docker))
        wanted = [image for image in known if research or image.target != "research"]
        delivered = _with_docker(where, wanted) if use_docker else _with_buildah(where, wanted)
    return {
        **{image.target: image.reference for image in known},
        **{image.target: name for image, name in zip(wanted, delivered, strict=False)},
        **dict(zip(system.PLATFORM, delivered[len(wanted) :], strict=True)),
    }


def build(where: Target) -> None:
    """Build what changed of all that `bring` would load into `where`."""
    use_docker = _uses_docker(where)
    with exclusive(_lock()), _context() as folder:
        for image in images(base_image(use_docker)):
            (_ensure_with_docker if use_docker else _ensure_with_buildah)(folder, image)
        for name in system.PLATFORM:
            system.archive(name)


def _uses_docker(where: Target) -> bool:
    return where.origin is Origin.KIND or (where.origin is Origin.GIVEN and docker.answers())


def _lock() -> Path:
    return cache_folder() / "images" / "platform.lock"


def base_image(use_docker: bool) -> str:
    """BASE_IMAGE, or what serves where a registry can be reached, or cannot; that one is made if need be."""
    if not use_docker:
        system_packages.require_system()
        system_packages.install_missing(system_packages.IMAGE_PACKAGES)
    return os.environ.get("BASE_IMAGE") or (_DOCKER_BASE if use_docker else base.ensure())


def images(base_reference: str) -> list[Image]:
    """The images with the tag that their present content gives them."""
    tag = context.digest(base_reference)
    return [
        Image(name, f"smarttrade-{name}:{tag}", {"BASE_IMAGE": base_reference}, stages)
        for name, stages in _STAGES.items()
    ]


def _with_docker(where: Target, wanted: list[Image]) -> list[str]:
    programs = {name: system.reference(name).removeprefix("docker.io/library/") for name in system.PLATFORM}
    with _context() as folder:
        for image in wanted:
            _ensure_with_docker(folder, image)
    references = [*(image.reference for image in wanted), *programs.values()]
    for name, reference in programs.items():
        if not docker.has(reference):
            docker.load(system.archive(name))
    if where.origin is Origin.KIND:
        _load_into_kind(where.context.removeprefix("kind-"), references)
    for old in history.outdated([image.reference for image in wanted]):
        docker.remove(old)
        if where.origin is Origin.KIND:
            kind.remove(where.context.removeprefix("kind-"), old)
    if where.origin is Origin.KIND:
        return references
    return [_pushed(reference, reference, docker.push) for reference in references]


def _load_into_kind(name: str, references: list[str]) -> None:
    # kind itself sends an image again where the node's tools cannot tell it what is there.
    if lacking := kind.lacking(name, references):
        with step(f"load {' '.join(lacking)} into kind"):
            kind.load(name, lacking)


def _with_buildah(where: Target, wanted: list[Image]) -> list[str]:
    programs = {system.reference(name): system.archive(name) for name in system.PLATFORM}
    instance = Instance(where.context)
    present = containerd.images(instance) if where.origin is Origin.LOCAL else set()
    pending: list[Future[None]] = []
    with _context() as folder, ThreadPoolExecutor(1) as sender:
        for image in wanted:
            if image.full_reference in present:
                continue
            _ensure_with_buildah(folder, image)
            if where.origin is Origin.LOCAL:
                # The next image builds while this one is sent.
                pending.append(sender.submit(_send, instance, image.full_reference))
    for sent in pending:
        sent.result()
    names = [image.full_reference for image in wanted]
    for old in history.outdated(list(names)):
        buildah.remove(old)
        if where.origin is Origin.LOCAL:
            containerd.remove(instance, old)
    if where.origin is Origin.LOCAL:
        containerd.load(instance, programs)
        return [name.removeprefix("docker.io/library/") for name in [*names, *programs]]
    for name, archive in programs.items():
        buildah.load(name, archive)
    return [
        _pushed(name, name.removeprefix("docker.io/library/"), buildah.push) for name in [*names, *programs]
    ]


def _ensure_with_docker(folder: Path, image: Image) -> None:
    if not docker.has(image.reference):
        with step(f"build {image.reference}"):
            docker.build(folder, image.reference, image.target, image.arguments)


def _ensure_with_buildah(folder: Path, image: Image) -> None:
    if not buildah.has(image.full_reference):
        with step(f"build {image.reference}"):
            _build_on_base(folder, image)


def _build_on_base(folder: Path, image: Image) -> None:
    """Build the dependencies as an image of their own first: buildah would read all of them every time."""
    files = [folder / "Dockerfile", *(folder / "requirements" / f"{name}.txt" for name in _LOCKS)]
    tag = context.digest_of(files, *image.arguments.values())
    arguments = dict(image.arguments)
    for stage in image.stages:
        reference = f"localhost/smarttrade-{stage}:{tag}"
        if not buildah.has(reference):
            buildah.build(folder, reference, stage, arguments)
        arguments[stage.replace("-", "_").upper()] = reference
    buildah.build(folder, image.full_reference, image.target, arguments)


def _send(instance: Instance, reference: str) -> None:
    with scratch_folder("image") as folder:
        archive = folder / "image.tar"
        buildah.save(reference, archive)
        containerd.load(instance, {reference: archive})


def _pushed(reference: str, short: str, push: Callable[[str, str], None]) -> str:
    registry = os.environ.get("REGISTRY")
    if not registry:
        say(f"{short} is built but not pushed: a cluster that was not made here needs REGISTRY=...")
        return short
    remote = f"{registry.rstrip('/')}/{short}"
    with step(f"push {remote}"):
        push(reference, remote)
    return remote


@contextmanager
def _context() -> Iterator[Path]:
    with scratch_folder("context") as folder:
        context.fill(folder)
        yield folder

"""The commands of `python -m cluster`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import binaries, clusters
from cluster.errors import ClusterError
from cluster.images import platform
from cluster.node import containerd
from cluster.node.layout import Instance, instance_name
from cluster.target import target


def main(arguments: Sequence[str]) -> int:
    """Run one command; a ClusterError becomes one clear message and exit status 1."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; the same command continues where this one stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster", description="A real Kubernetes on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("binaries", help="build the programs of the cluster and print their paths")
    build.add_argument("names", nargs="*", metavar="NAME")
    build.set_defaults(run=_binaries)
    for name, action, text in (
        ("up", _up, "start the cluster; nothing happens when it runs"),
        ("down", _down, "remove the cluster without a trace"),
        ("status", _status, "say which cluster is used and whether it runs"),
        ("kubeconfig", _kubeconfig, "print the path of the kubeconfig file"),
        ("context", _context, "print the name of the kubeconfig context"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=action)
    everything = commands.add_parser("build", help="build all that both consist of, start nothing")
    everything.set_defaults(run=_build)
    bring = commands.add_parser("images", help="build what changed, load it, print {name: reference} as JSON")
    bring.set_defaults(run=_images)
    load = commands.add_parser("load", help="load a docker archive into the local cluster")
    load.add_argument("archive", type=Path)
    load.add_argument("reference", help="full reference, such as docker.io/library/name:tag")
    load.set_defaults(run=_load)
    return parser


def _binaries(options: argparse.Namespace) -> None:
    for name in options.names or binaries.PROGRAMS:
        print(binaries.ensure(name))


def _build(_: argparse.Namespace) -> None:
    where = target()
    clusters.build(where)
    binaries.ensure("helm")
    platform.build(where)


def _up(_: argparse.Namespace) -> None:
    where = target()
    clusters.up(where)
    print(where.kubeconfig)


def _down(_: argparse.Namespace) -> None:
    clusters.down(target())


def _status(_: argparse.Namespace) -> None:
    where = target()
    state = "ready" if clusters.is_ready(where) else "not running"
    print(json.dumps({"origin": where.origin, "context": where.context, "state": state}))


def _kubeconfig(_: argparse.Namespace) -> None:
    print(target().kubeconfig)


def _context(_: argparse.Namespace) -> None:
    print(target().context)


def _images(_: argparse.Namespace) -> None:
    where = target()
    clusters.up(where)
    print(json.dumps(platform.bring(where, research=True)))


def _load(options: argparse.Namespace) -> None:
    containerd.load(Instance(instance_name()), {options.reference: options.archive})

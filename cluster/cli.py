"""The commands of `python -m cluster`."""

import argparse
import sys
from collections.abc import Sequence

from cluster import binaries
from cluster.errors import ClusterError
from cluster.node import lifecycle
from cluster.node.layout import Instance, instance_name


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
    ):
        commands.add_parser(name, help=text).set_defaults(run=action)
    return parser


def _binaries(options: argparse.Namespace) -> None:
    for name in options.names or binaries.PROGRAMS:
        print(binaries.ensure(name))


def _up(options: argparse.Namespace) -> None:
    lifecycle.up(Instance(instance_name()))


def _down(options: argparse.Namespace) -> None:
    lifecycle.down(Instance(instance_name()))

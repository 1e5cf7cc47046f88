"""The commands of `python -m cluster`."""

import argparse
import sys
from collections.abc import Sequence

from cluster import binaries
from cluster.errors import ClusterError


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
    return parser


def _binaries(options: argparse.Namespace) -> None:
    for name in options.names or binaries.PROGRAMS:
        print(binaries.ensure(name))

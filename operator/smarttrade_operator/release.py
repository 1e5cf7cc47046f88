"""Takes our finalizer off every account, for the day the platform is uninstalled.

Without an operator nobody would ever remove it, and deleting an account, or its namespace, would hang for
ever. It must run when the operator is gone, since a running one puts the finalizer back; the chart runs it
as a hook after the release's objects, and with them the operator's rights, were deleted. Pods are left alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import structlog

from smarttrade.errors import ConfigurationError
from smarttrade_operator.cache import Cache
from smarttrade_operator.finalizer import build_finalizer_patch, has_finalizer
from smarttrade_operator.kinds import DEPLOYMENT, TRADING_ACCOUNT, Manifest
from smarttrade_operator.kube import Conflict, Kube, NotFound
from smarttrade_operator.names import Key

_ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Whose accounts are released. No `namespaces` means all; nothing happens while the Deployment `operator`
    exists."""

    installation: str
    namespaces: tuple[str, ...] = ()
    operator: Key | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--installation", default="smarttrade")
    parser.add_argument("--namespace", action="append", default=[], help="default: all namespaces")
    parser.add_argument("--operator", help="NAMESPACE/DEPLOYMENT: do nothing while it exists")


def from_arguments(arguments: argparse.Namespace) -> Release:
    """ConfigurationError when `--operator` is not two words."""
    namespace, _, name = (arguments.operator or "").partition("/")
    if arguments.operator and not (namespace and name):
        raise ConfigurationError(f"--operator={arguments.operator!r} must read NAMESPACE/DEPLOYMENT")
    return Release(
        installation=arguments.installation,
        namespaces=tuple(arguments.namespace),
        operator=Key(namespace, name) if name else None,
    )


async def run(release: Release) -> None:
    """Leave no account with our finalizer; safe to run again. Conflict when somebody puts it back."""
    async with await Kube.connect() as kube:
        if release.operator and await _is_installed(kube, release.operator):
            _log.info("nothing released: the operator is installed", deployment=str(release.operator))
            return
        for _ in range(_ROUNDS):
            held = await _find_held(kube, release)
            if not held:
                return
            for account in held:
                await _release(kube, account)
    names = ", ".join(f"{a['metadata']['namespace']}/{a['metadata']['name']}" for a in held)
    raise Conflict(f"these accounts keep our finalizer: {names}: is an operator still running?")


async def _is_installed(kube: Kube, operator: Key) -> bool:
    try:
        found = await kube.get(DEPLOYMENT, operator.namespace, operator.name)
    except NotFound:
        return False
    return not found["metadata"].get("deletionTimestamp")


async def _find_held(kube: Kube, release: Release) -> list[Manifest]:
    cache = Cache(release.installation)
    found: list[Manifest] = []
    for namespace in release.namespaces or (None,):
        try:
            found += await kube.list_objects(TRADING_ACCOUNT, namespace)
        except NotFound:
            return []  # the definition is gone, and all accounts with it
    accounts = [account | {"kind": TRADING_ACCOUNT.kind} for account in found]
    return [account for account in accounts if has_finalizer(account) and cache.serves(account)]


async def _release(kube: Kube, account: Manifest) -> None:
    namespace, name = account["metadata"]["namespace"], account["metadata"]["name"]
    try:
        await kube.merge_patch(
            TRADING_ACCOUNT, namespace, name, build_finalizer_patch(account, present=False)
        )
    except Conflict:
        return  # changed meanwhile: the next round sees how
    except NotFound:
        return
    _log.info("account released", account=f"{namespace}/{name}")


_log = structlog.get_logger()

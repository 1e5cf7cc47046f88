"""Takes our finalizer off every account, for the day the platform is uninstalled.

Without an operator nobody would ever remove it, and deleting an account, or its namespace, would hang for
ever. Run it when the operator is gone: a running one puts the finalizer back. The accounts trade on.
"""

from __future__ import annotations

import structlog

from smarttrade_operator.cache import Cache
from smarttrade_operator.finalizer import build_finalizer_patch, has_finalizer
from smarttrade_operator.kube import TRADING_ACCOUNT, Conflict, Kube, Manifest, NotFound

_ATTEMPTS = 5


async def run(installation: str, namespaces: tuple[str, ...]) -> None:
    """Release all accounts of the installation in these namespaces; none means all namespaces."""
    async with await Kube.connect() as kube:
        for namespace in namespaces or (None,):
            await _release_all(kube, Cache(installation), namespace)


async def _release_all(kube: Kube, cache: Cache, namespace: str | None) -> None:
    try:
        accounts = await kube.list_objects(TRADING_ACCOUNT, namespace)
    except NotFound:
        return  # the definition is gone, and all accounts with it
    for account in accounts:
        whole = account | {"kind": TRADING_ACCOUNT.kind}
        if has_finalizer(whole) and cache.serves(whole):
            await _release(kube, whole)


async def _release(kube: Kube, account: Manifest) -> None:
    namespace, name = account["metadata"]["namespace"], account["metadata"]["name"]
    for _ in range(_ATTEMPTS):
        try:
            patch = build_finalizer_patch(account, present=False)
            await kube.merge_patch(TRADING_ACCOUNT, namespace, name, patch)
        except Conflict:
            account = await kube.get(TRADING_ACCOUNT, namespace, name)
            continue
        except NotFound:
            return
        _log.info("account released", account=f"{namespace}/{name}")
        return
    raise Conflict(f"{namespace}/{name} changes all the time: is an operator still running?")


_log = structlog.get_logger()

"""A copy of one kind of API objects, kept current by list and watch in a thread."""

import threading
import time
from collections.abc import Callable
from typing import Any

from cluster.api import Api, ApiRefused, ApiUnavailable

Key = tuple[str, str]
_RETRY_S = 0.3


class Mirror:
    """`objects` by (namespace, name) of everything at the list `path`; `changed` follows a change."""

    def __init__(self, api: Api, path: str, changed: Callable[[], None]) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.is_synced = threading.Event()
        self._api, self._path, self._changed = api, path, changed
        threading.Thread(target=self._follow, name=f"mirror {path}", daemon=True).start()

    def _follow(self) -> None:
        while True:
            try:
                self._watch(self._list())
            except (ApiUnavailable, ApiRefused) as error:
                print(f"{self._path}: {error}; listing again", flush=True)
                time.sleep(_RETRY_S)

    def _list(self) -> str:
        listed = self._api.get(self._path)
        # A new dictionary instead of clearing: readers must never see a half-filled one.
        self.objects = {_key(item): item for item in listed.get("items") or []}
        self.is_synced.set()
        self._changed()
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> None:
        for event in self._api.watch(self._path, version):
            if event["type"] == "ERROR":
                return
            if event["type"] != "BOOKMARK":
                self._take(event["type"], event["object"])

    def _take(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "DELETED":
            self.objects = {key: value for key, value in self.objects.items() if key != _key(item)}
        else:
            self.objects = {**self.objects, _key(item): item}
        self._changed()


def _key(item: dict[str, Any]) -> Key:
    return (item["metadata"].get("namespace", ""), item["metadata"]["name"])

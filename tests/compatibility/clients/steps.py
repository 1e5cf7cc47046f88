"""What a client's script tells the runner: a JSON line for each step. Standard library only."""

import json
import traceback
from collections.abc import Callable
from typing import Any


def step(name: str, act: Callable[[], Any]) -> Any:
    """Do one thing, tell how it went, and return what it gave."""
    try:
        answer = act()
    except Exception as error:  # noqa: BLE001 - a step that fails must not keep the others from running
        traceback.print_exc()
        tell(name, False, f"{type(error).__name__}: {error}")
        return None
    tell(name, True, str(answer)[:200])
    return answer


def tell(name: str, ok: bool, detail: str = "") -> None:
    print(json.dumps({"step": name, "ok": ok, "detail": detail}), flush=True)


def expect(condition: Any, what: str) -> Any:
    """The condition itself; AssertionError names what was expected."""
    if not condition:
        raise AssertionError(what)
    return condition

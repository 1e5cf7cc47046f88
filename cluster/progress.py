"""Progress for people on stderr; stdout stays free for what other programs read."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTED = time.monotonic()


def say(text: str) -> None:
    """One line with the time since the command began."""
    print(f"[{time.monotonic() - _STARTED:6.1f}s] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str, remind_every_s: float = 15) -> Iterator[None]:
    """Announce a step, remind of it while it runs, and say how long it took."""
    say(f"{text} ...")
    began = time.monotonic()
    done = threading.Event()
    reminder = threading.Thread(target=_remind, args=(text, began, done, remind_every_s), daemon=True)
    reminder.start()
    try:
        yield
    except BaseException:
        say(f"{text}: failed after {time.monotonic() - began:.1f} s")
        raise
    finally:
        done.set()
        reminder.join()
    say(f"{text}: done in {time.monotonic() - began:.1f} s")


def _remind(text: str, began: float, done: threading.Event, every_s: float) -> None:
    while not done.wait(every_s):
        say(f"{text} ... still running after {time.monotonic() - began:.0f} s")

"""What a process gives back after its start, and what it looks at no more."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from smarttrade.process import memory


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_later_collections_pass_over_what_was_there_when_it_settled() -> None:
    before = len(gc.get_objects())
    memory.settle()
    assert gc.get_freeze_count() > before / 2
    assert len(gc.get_objects()) < before / 2


def test_what_is_garbage_when_it_settles_is_not_kept() -> None:
    left = weakref.ref(Cycle())
    memory.settle()
    assert left() is None


def test_what_becomes_garbage_later_is_found() -> None:
    memory.settle()
    left = weakref.ref(Cycle())
    memory.give_back()
    assert left() is None

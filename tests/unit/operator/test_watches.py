"""How the watches are set up: kopf must neither write nor give up."""

from __future__ import annotations

from collections.abc import Sized
from itertools import islice

from smarttrade_operator.watches import WATCHED, build_settings


def test_a_watch_that_is_refused_is_tried_again_for_ever() -> None:
    patience = build_settings().networking.error_backoffs
    assert not isinstance(patience, Sized | float | int), "kopf counts down what it can count"
    for _ in range(2):
        waits = list(islice(patience, 1000))
        assert waits == sorted(waits)
        assert waits[0] <= 1.0
        assert waits[-1] < 30


def test_kopf_writes_nothing_and_sees_the_children_only() -> None:
    settings = build_settings()
    assert settings.peering.standalone
    assert not settings.posting.enabled
    for kind in WATCHED[1:]:
        selectors = settings.watching.label_selectors[kind.group, kind.version, kind.plural]
        assert "app.kubernetes.io/managed-by=smarttrade-operator" in selectors

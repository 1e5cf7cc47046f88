"""Whose images the platform runs for strategies: those of the repositories that it names, and no other."""

from dataclasses import replace

import pytest

from smarttrade.api import Strategy
from smarttrade_operator.strategy import ImageNotAllowed, check_image
from tests.unit.operator.accounts import RUNTIME

ALLOWING = replace(RUNTIME, strategy_images=("registry.example/acme", "localhost:5000/mine"))


def strategy_in(repository: str) -> Strategy:
    source = {"image": f"{repository}@sha256:{'0' * 64}", "class": "mine.Mine"}
    return Strategy.model_validate({"source": source})


@pytest.mark.parametrize(
    "repository", ["registry.example/acme", "registry.example/acme/cross", "localhost:5000/mine"]
)
def test_an_allowed_repository_and_what_lies_below_it_may_be_named(repository: str) -> None:
    check_image(strategy_in(repository), ALLOWING)


@pytest.mark.parametrize(
    "repository",
    [
        "registry.example/acme-evil",
        "registry.example/other",
        "localhost:5000/minestrone",
        "evil.example/acme",
    ],
)
def test_any_other_is_refused_with_what_is_allowed(repository: str) -> None:
    with pytest.raises(
        ImageNotAllowed, match=rf"{repository} is no .*\(registry.example/acme, localhost:5000/mine"
    ):
        check_image(strategy_in(repository), ALLOWING)


def test_no_repository_is_allowed_unless_the_platform_says_so_and_other_strategies_need_none() -> None:
    with pytest.raises(ImageNotAllowed, match=r"\(none\)"):
        check_image(strategy_in("registry.example/acme"), RUNTIME)
    check_image(Strategy(name="ma-cross"), RUNTIME)
    source = {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}
    check_image(Strategy.model_validate({"source": source}), RUNTIME)

"""What decides."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from smarttrade.api.model import Model, Rule
from smarttrade.api.scalars import OBJECT_NAME_PATTERN, Text
from smarttrade.timeframe import Timeframe

PARAMETER_NAME_MESSAGE = "write names that start with a letter and hold only letters, digits and underscores"

ParameterName = Annotated[str, Text(r"^[A-Za-z_][A-Za-z0-9_]*$", 63, PARAMETER_NAME_MESSAGE)]
ConfigMapName = Annotated[
    str, Text(OBJECT_NAME_PATTERN, 253, "write the name of a ConfigMap in the account's namespace")
]
ClassName = Annotated[
    str, Text(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", 200, "write module.ClassName or ClassName")
]
StrategyImage = Annotated[
    str,
    Text(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[a-f0-9]{64}$",
        512,
        "write an image by its digest, such as registry.example/strategies/mine@sha256:...",
    ),
]
StrategyName = Annotated[
    str,
    Text(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 63, "write the name of a built-in strategy, such as ma-cross"),
]


class ConfigMapReference(Model):
    """A ConfigMap of the account's own namespace."""

    name: ConfigMapName
    """Name of a ConfigMap in the account's own namespace."""


class StrategySource(Model):
    """A strategy of the user's own, from a ConfigMap or in an image."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.configMapRef) != has(self.image)",
            "set exactly one of strategy.source.configMapRef and strategy.source.image",
            lambda source: (source.config_map_ref is None) != (source.image is None),
        ),
    )

    config_map_ref: ConfigMapReference | None = None
    """ConfigMap whose keys are Python modules, such as mine.py. It is read once, when the object first names
    it: give a changed strategy another name. It takes over between two events, in the running pods."""
    image: StrategyImage | None = None
    """Image for evaluation alone, by digest: one made from the platform's runtime image, with the modules in
    /etc/smarttrade/strategy and the libraries that they need. Its repository must be one that the platform
    allows. Another image rolls the pods."""
    class_name: ClassName = Field(alias="class")
    """The strategy's class, as module.ClassName or ClassName."""

    @property
    def origin(self) -> str:
        """The name of the ConfigMap, or the image."""
        return self.config_map_ref.name if self.config_map_ref else self.image or ""


def _int_or_string(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(
            f'{value!r} is neither an integer nor a string: write other values in quotes, such as "0.5"'
        )
    return value


Parameter = Annotated[
    Annotated[int, Field(strict=True)] | Annotated[str, Field(strict=True, max_length=256)],
    BeforeValidator(_int_or_string),
    Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
]


Parameters = Annotated[dict[ParameterName, Parameter], Field(max_length=64)]


class Strategy(Model):
    """A built-in strategy by name, or the user's own by source."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.name) != has(self.source)",
            "set exactly one of strategy.name (built in) and strategy.source (your own)",
            lambda strategy: (strategy.name is None) != (strategy.source is None),
        ),
    )

    name: StrategyName | None = None
    """A built-in strategy, such as ma-cross."""
    source: StrategySource | None = None
    """A strategy of the user's own instead of a built-in one."""
    timeframe: Timeframe = Timeframe.M1
    """The candles on which the strategy decides."""
    parameters: Parameters = Field(default_factory=dict)
    """The strategy's parameters: integers, or strings for everything else. Applied without a restart."""
    warmup: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    """Candles of history before the first decision. Absent: what the strategy declares."""

    @property
    def image(self) -> str:
        """The image that the strategy brings for evaluation; empty where it runs in the platform's."""
        return self.source.image or "" if self.source else ""

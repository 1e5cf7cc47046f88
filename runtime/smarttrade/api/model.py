"""What all models of the object share: camelCase names, and rules that hold in Python and in CEL alike.

Unknown fields are ignored here, because a process reads objects and control messages of newer versions
too; whoever reads what a person wrote asks for `extra="forbid"` (see `load`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from smarttrade.api.docstrings import describe


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over fields of one model: `cel` is what the API server checks, `holds` what Python checks."""

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""

    def schema(self) -> dict[str, str]:
        """As one entry of x-kubernetes-validations; rules over `oldSelf` have no Python side."""
        entry = {"rule": self.cel, "message": self.message}
        return entry | ({"fieldPath": f".{self.field}"} if self.field else {})


def immutable(field: str, advice: str) -> Rule:
    """The field keeps the value with which the object was created."""
    return Rule(f"self.{field} == oldSelf.{field}", f"cannot be changed: {advice}", field=field)


def _complete(schema: dict[str, Any], model: type[Any]) -> None:
    """Add what the model says besides its types: descriptions and rules."""
    describe(schema, model)
    if model.rules:
        schema["x-kubernetes-validations"] = [rule.schema() for rule in model.rules]


class Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        defer_build=True,  # a container needs one of these models, not all of them, in its first second
        json_schema_extra=_complete,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        for rule in self.rules:
            if rule.holds is not None and not rule.holds(self):
                raise ValueError(f"{rule.field}: {rule.message}" if rule.field else rule.message)
        return self

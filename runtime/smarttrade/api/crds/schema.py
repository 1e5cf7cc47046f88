"""A model's JSON schema as the API server's structural schema.

Structural schemas know no references, no null, no anyOf around types and no patterns of keys; an absent
object would hide the defaults of its own fields, so it defaults to {}.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from smarttrade.api.strategy import PARAMETER_NAME_MESSAGE

Schema = dict[str, Any]

_ORDER = (
    "description",
    "type",
    "format",
    "default",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
    "required",
    "properties",
    "additionalProperties",
    "items",
)


class _WithFactories(GenerateJsonSchema):
    """Also writes the defaults that factories make; a model's is {}, as its own fields have theirs."""

    def get_default_value(self, schema: Any) -> Any:
        if "default_factory" not in schema:
            return super().get_default_value(schema)
        made = schema["default_factory"]()
        return {} if isinstance(made, BaseModel) else to_jsonable_python(made)


def build_structural(model: type[BaseModel]) -> Schema:
    """The model's structural schema, without references."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_WithFactories)
    return _structural(schema, schema.get("$defs", {}))


def _structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    schema = _without_keys_patterns(_without_null(_resolved(schema, definitions), definitions))
    if "properties" in schema:
        fields = {name: _structural(field, definitions) for name, field in schema["properties"].items()}
        schema["properties"] = fields
    for nested in ("items", "additionalProperties"):
        if isinstance(schema.get(nested), dict):
            schema[nested] = _structural(schema[nested], definitions)
    if schema.get("type") == "array":
        schema.setdefault("x-kubernetes-list-type", "atomic")
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    return {key: schema[key] for key in _ORDER if key in schema}


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" not in schema:
        return dict(schema)
    target = definitions[schema["$ref"].removeprefix("#/$defs/")]
    return {**_resolved(target, definitions), **{key: schema[key] for key in schema if key != "$ref"}}


def _without_null(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """An optional field is one that may be absent; a field that takes numbers and strings says so itself."""
    if "anyOf" not in schema:
        return schema
    outer = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if schema.get("x-kubernetes-int-or-string"):
        lengths = [choice["maxLength"] for choice in schema["anyOf"] if "maxLength" in choice]
        return {**outer, "maxLength": max(lengths)}
    (only,) = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
    return {**_resolved(only, definitions), **outer}


def _without_keys_patterns(schema: Schema) -> Schema:
    if "patternProperties" not in schema:
        return schema
    ((pattern, values),) = schema["patternProperties"].items()
    rule = {"rule": f"self.all(name, name.matches(r'{pattern}'))", "message": PARAMETER_NAME_MESSAGE}
    kept = {key: value for key, value in schema.items() if key != "patternProperties"}
    return {**kept, "additionalProperties": values, "x-kubernetes-validations": [rule]}

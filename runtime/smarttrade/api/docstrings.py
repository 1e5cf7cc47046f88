"""What is written below a field, as its description in a schema.

pydantic reads these texts itself if asked to, but wherever a model is defined: a tenth of what each container
computes until it runs, and none of them shows the texts. Here they are read where a schema is made.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel


def describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add the text below each field of the model to the property that stands for it in the model's schema."""
    texts: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        if issubclass(ancestor, BaseModel) and ancestor is not BaseModel:
            texts |= read_docstrings(ancestor)
    for name, field in model.model_fields.items():
        if name in texts:
            schema["properties"][field.alias or name].setdefault("description", texts[name])


def read_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field that the class itself declares and explains."""
    (definition,) = ast.parse(dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        declared.target.id: inspect.cleandoc(below.value.value)
        for declared, below in pairwise(definition.body)
        if isinstance(declared, ast.AnnAssign)
        and isinstance(declared.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }

"""Reading manifests that people wrote: unknown fields are refused, and every error names its field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from smarttrade.api.account import API_VERSION, KIND, TradingAccount
from smarttrade.errors import ConfigurationError


def load_account(path_or_text: Path | str) -> TradingAccount:
    """Read the one TradingAccount of a manifest.

    Args:
        path_or_text: a file's path, or YAML text (anything with a line break is text). Other objects in
            it, such as a Namespace, are passed over.

    Raises:
        ConfigurationError: naming the file and every field that is wrong.
    """
    import yaml  # containers read no manifests

    text, origin = _read(path_or_text)
    try:
        documents = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{origin} is not YAML: {error}") from error
    accounts = [document for document in documents if _is_account(document)]
    if len(accounts) != 1:
        raise ConfigurationError(
            f"{origin} holds {len(accounts)} objects of kind {KIND} ({API_VERSION}): it must hold exactly one"
        )
    return parse_account(accounts[0], origin)


def parse_account(manifest: dict[str, Any], origin: str = "the manifest") -> TradingAccount:
    """Check one manifest strictly; ConfigurationError lists every field that is wrong."""
    try:
        return TradingAccount.model_validate(manifest, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        raise ConfigurationError(f"{origin}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """Every error as `path: message`, in the object's own field names."""
    return "; ".join(
        _describe_one(detail) for detail in error.errors(include_url=False, include_context=False)
    )


def _describe_one(detail: Any) -> str:
    path = _path(detail["loc"])
    if detail["type"] == "missing":
        return f"{path}: required, but missing"
    if detail["type"] == "extra_forbidden":
        return f"{path}: no such field: remove it or correct its name"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _is_account(document: object) -> bool:
    return isinstance(document, dict) and document.get("kind") == KIND


def _read(path_or_text: Path | str) -> tuple[str, str]:
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        return path_or_text, "the manifest"
    path = Path(path_or_text)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from error

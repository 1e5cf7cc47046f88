"""The whole object."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from smarttrade.api.model import Model, Rule
from smarttrade.api.spec import TradingAccountSpec
from smarttrade.api.status import TradingAccountStatus

GROUP = "smarttrade.io"
VERSION = "v1alpha1"
KIND = "TradingAccount"
PLURAL = "tradingaccounts"
API_VERSION = f"{GROUP}/{VERSION}"
NAME_LIMIT = 40
_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def _name(account: TradingAccount) -> str:
    return str(account.metadata.get("name", ""))


class TradingAccount(Model):
    """An isolated environment that trades one account on one exchange."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"self.metadata.name.size() <= {NAME_LIMIT}",
            f"metadata.name must have at most {NAME_LIMIT} characters: pods are named after it",
            lambda account: len(_name(account)) <= NAME_LIMIT,
        ),
        Rule(
            f"self.metadata.name.matches('{_NAME}')",
            "metadata.name must consist of lower-case letters, digits and dashes, without dots",
            lambda account: re.fullmatch(_NAME, _name(account)) is not None,
        ),
    )

    api_version: Literal["smarttrade.io/v1alpha1"] = "smarttrade.io/v1alpha1"
    kind: Literal["TradingAccount"] = "TradingAccount"
    metadata: dict[str, Any]
    spec: TradingAccountSpec
    status: Annotated[TradingAccountStatus, Field(default_factory=TradingAccountStatus)]

    @property
    def name(self) -> str:
        return _name(self)

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", "default"))

    @property
    def generation(self) -> int:
        return int(self.metadata.get("generation", 1))

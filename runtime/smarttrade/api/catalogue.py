"""Exchanges that the platform knows: name and environment to addresses.

Users name an environment and never write a URL: an account must not be pointed anywhere its platform
did not choose. What is absent from an endpoint is ccxt's own.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, RootModel, ValidationError

from smarttrade.api.load import describe
from smarttrade.api.model import Model
from smarttrade.errors import ConfigurationError


def _network(value: str) -> str:
    return str(ip_network(value))


class PodSelection(Model):
    """Pods of the cluster that serve an exchange, for the network policy."""

    namespace_labels: dict[str, str] = Field(min_length=1)
    pod_labels: dict[str, str] = Field(min_length=1)
    port: Annotated[int, Field(strict=True, ge=1, le=65535)]


class Endpoint(Model):
    """Where one environment of one exchange is.

    `sandbox` selects ccxt's own test environment; `cidrs` narrows the pods' egress on port
    443 to these networks; `pods` opens it to pods of this cluster instead. `hosts` are what the egress
    gateway admits besides the addresses that are written here, and `certificateAuthority` is trusted instead
    of the public ones, as PEM. `requestWeight` is what one account may use a minute of what the exchange
    allows an address.
    """

    rest: str | None = None
    websocket: str | None = None
    websocket_api: str | None = None
    sandbox: bool = False
    hosts: list[Annotated[str, Field(pattern=r"^[a-z0-9.-]+:[0-9]{1,5}$")]] = Field(default_factory=list)
    certificate_authority: str | None = None
    request_weight: Annotated[int, Field(strict=True, ge=60)] | None = None
    cidrs: list[Annotated[str, AfterValidator(_network)]] = Field(default_factory=list)
    pods: PodSelection | None = None


class Catalogue(RootModel[dict[str, dict[str, Endpoint]]]):
    """Exchange name -> environment -> endpoint."""

    @classmethod
    def load(cls, path: Path | str) -> Catalogue:
        """Read a YAML file; ConfigurationError names the entry that is wrong."""
        import yaml  # containers are given their endpoint as JSON

        try:
            content: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return cls.model_validate(content or {}, extra="forbid")
        except OSError as error:
            raise ConfigurationError(
                f"cannot read the catalogue {path}: {error.strerror or error}"
            ) from error
        except yaml.YAMLError as error:
            raise ConfigurationError(f"the catalogue {path} is not YAML: {error}") from error
        except ValidationError as error:
            raise ConfigurationError(f"the catalogue {path}: {describe(error)}") from error

    def find(self, name: str, environment: str) -> Endpoint:
        """The endpoint of one environment; ConfigurationError says what there is instead."""
        environments = self.root.get(name)
        if environments is None:
            known = ", ".join(sorted(self.root)) or "none"
            raise ConfigurationError(
                f"exchange {name!r} is not in the platform's catalogue; there is: {known}"
            )
        endpoint = environments.get(environment)
        if endpoint is None:
            known = ", ".join(sorted(environments)) or "none"
            raise ConfigurationError(
                f"exchange {name!r} has no environment {environment!r} in the platform's catalogue; "
                f"there is: {known}"
            )
        return endpoint

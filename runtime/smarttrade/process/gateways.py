"""The container's way to its exchange, from its settings."""

from __future__ import annotations

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError
from smarttrade.exchange.route import Gateway, Route
from smarttrade.process.settings import Settings


def build_route(endpoint: Endpoint, settings: Settings) -> Route:
    """ConfigurationError where there are gateways but no password for them."""
    if not settings.gateways:
        return Route(endpoint)
    try:
        password = settings.gateway_password.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"cannot read the gateway's password: {error.strerror}") from error
    places = [gateway.rpartition(":") for gateway in settings.gateways]
    return Route(
        endpoint,
        [Gateway(host, int(port), settings.gateway_user, password) for host, _, port in places],
    )

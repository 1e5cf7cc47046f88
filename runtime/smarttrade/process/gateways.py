"""The container's way to its exchange, from its settings.

The credentials are read again as long as the way is followed: they change with their period, and whenever the
account's are rotated.
"""

from __future__ import annotations

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError
from smarttrade.exchange.route import Gateway, Route
from smarttrade.process.settings import Settings


def build_route(endpoint: Endpoint, settings: Settings) -> Route:
    """ConfigurationError where there are gateways but no credentials for them."""
    if not settings.gateways:
        return Route(endpoint)
    return Route(endpoint, read_gateways(settings), lambda: read_gateways(settings))


def read_gateways(settings: Settings) -> list[Gateway]:
    """In the account's order, with the credentials as the file has them now."""
    try:
        text = settings.gateway_credentials.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"cannot read the credentials for the gateways: {error.strerror}") from error
    user, _, password = text.partition(":")
    if not password:
        raise ConfigurationError(f"{settings.gateway_credentials} must read USER:PASSWORD")
    places = [gateway.rpartition(":") for gateway in settings.gateways]
    return [Gateway(host, int(port), user, password) for host, _, port in places]

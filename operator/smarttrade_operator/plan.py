"""One account's object, turned into everything that shall exist because of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from smarttrade.api import TradingAccount, TradingAccountSpec
from smarttrade.api.catalogue import Catalogue, Endpoint
from smarttrade.api.load import describe
from smarttrade.api.pending import fields_without_effect
from smarttrade.bus.accounts import AccountLimits, AccountPair
from smarttrade.bus.rotation import NEVER, Rotation
from smarttrade.errors import ConfigurationError
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountControl
from smarttrade_operator.children import Blueprint, build_children, build_credentials_secret
from smarttrade_operator.children.blueprint import Aliases
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.settings import Network, Settings

BuildPair = Callable[[AccountIdentity, AccountLimits, Rotation], AccountPair]
FindAliases = Callable[[Endpoint, Network], Aliases]


class InvalidSpec(ConfigurationError):  # noqa: N818
    """The object passed an older API server's checks, but not this version's."""


class UnknownBus(ConfigurationError):  # noqa: N818
    """The account's namespace has no dedicated NATS servers of that name."""


class UnknownEnvironment(ConfigurationError):  # noqa: N818
    """The platform's catalogue does not know the exchange or its environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one generation of an account's object asks for."""

    account: TradingAccount
    identity: AccountIdentity
    pair: AccountPair
    rotation: Rotation
    children: tuple[Manifest, ...]
    secret: Manifest
    control: AccountControl
    pending_fields: tuple[str, ...]

    @property
    def replicas(self) -> int:
        return self.account.spec.replicas

    @property
    def limits(self) -> AccountLimits:
        """What its NATS accounts may use."""
        return build_limits(self.account.spec)


def build_limits(spec: TradingAccountSpec) -> AccountLimits:
    return AccountLimits(pods=spec.replicas, orders=spec.risk.max_open_orders)


def identify(manifest: Manifest, settings: Settings) -> AccountIdentity:
    metadata = manifest["metadata"]
    return AccountIdentity(settings.installation, metadata["namespace"], metadata["name"])


def parse(manifest: Manifest) -> TradingAccount:
    """Read the object; its status is ours and is not judged."""
    try:
        return TradingAccount.model_validate({name: manifest[name] for name in ("metadata", "spec")})
    except ValidationError as error:
        raise InvalidSpec(describe(error)) from error


def build_control(account: TradingAccount, *, deleting: bool) -> AccountControl:
    """The control value of this generation, not yet stamped with its time of writing."""
    spec = account.spec.model_dump(mode="json", by_alias=True)
    return AccountControl(generation=account.generation, spec=spec, deleting=deleting)


def build_plan(
    manifest: Manifest,
    settings: Settings,
    catalogue: Catalogue,
    build_pair: BuildPair,
    *,
    find_aliases: FindAliases = lambda endpoint, network: (),
    gateway_key: str = "",
    authority: str = "",
    rotation: Rotation = NEVER,
) -> Plan:
    """Raises InvalidSpec, UnknownBus or UnknownEnvironment, saying what to change. `authority` is the
    certificate that the pods verify the NATS servers by; empty without TLS."""
    account, identity = parse(manifest), identify(manifest, settings)
    blueprint = _build_blueprint(account, identity, settings, catalogue, find_aliases)
    pair = build_pair(identity, build_limits(account.spec), rotation)
    return Plan(
        account=account,
        identity=identity,
        pair=pair,
        rotation=rotation,
        children=tuple(build_children(blueprint)),
        secret=build_credentials_secret(
            blueprint,
            pair.credentials,
            mark_key=pair.mark_key,
            order_key=pair.order_key,
            renew_at_s=pair.renew_at,
            issued_s=pair.issued,
            gateway_key=gateway_key,
            authority=authority,
        ),
        control=build_control(account, deleting=False),
        pending_fields=tuple(
            f"{field.path}: {field.meanwhile}" for field in fields_without_effect(account.spec)
        ),
    )


def _build_blueprint(
    account: TradingAccount,
    identity: AccountIdentity,
    settings: Settings,
    catalogue: Catalogue,
    find_aliases: FindAliases,
) -> Blueprint:
    exchange, bus = account.spec.exchange, account.spec.bus
    if not settings.admits(identity.namespace, bus):
        raise UnknownBus(
            f"spec.bus: there are no dedicated NATS servers called {bus} for namespace {identity.namespace}"
        )
    network = settings.network_of(bus)
    try:
        endpoint = catalogue.find(exchange.name, exchange.environment)
    except ConfigurationError as error:
        raise UnknownEnvironment(str(error)) from error
    return Blueprint(
        identity=identity,
        uid=account.metadata["uid"],
        spec=account.spec,
        endpoint=endpoint,
        runtime=settings.runtime,
        network=network,
        aliases=find_aliases(endpoint, network),
    )

"""`smarttrade tenant create` and its options."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from smarttrade.cli.errors import plainly
from smarttrade.cli.hand_commands import Context
from smarttrade.errors import ConfigurationError

tenant_app = typer.Typer(help="A namespace for one tenant, made by an administrator.", no_args_is_help=True)

_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


@tenant_app.callback()
def _tenant() -> None:
    """Keeps `create` a word of the command line."""


@tenant_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Of the tenant and of the namespace.", show_default=False)],
    user: Annotated[
        list[str] | None, typer.Option(help="A user who manages it, as Kubernetes knows them.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group of such users.")] = None,
    service_account: Annotated[
        list[str] | None, typer.Option(help="NAMESPACE:NAME of a service account that manages it.")
    ] = None,
    accounts: Annotated[int, typer.Option(help="TradingAccounts at most.", min=1, max=1000)] = 5,
    cpu: Annotated[str, typer.Option(help="CPU that all pods may request together.")] = "8",
    memory: Annotated[str, typer.Option(help="Memory that all pods may use together.")] = "16Gi",
    storage: Annotated[str, typer.Option(help="Storage of all volume claims together.")] = "50Gi",
    may_exec: Annotated[
        bool,
        typer.Option(
            "--may-exec",
            help="Let them exec into their pods, for commands by hand; whoever may, can read keys.",
        ),
    ] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Print the manifests, apply nothing.")] = False,
    context: Context = None,
) -> None:
    """Make a tenant's namespace: Pod Security, quota, limits, a closed network, a Role for its users."""
    from smarttrade.cli.tenants.build import Tenant, build_tenant

    with plainly():
        if not re.fullmatch(_NAME, name):
            raise ConfigurationError(
                f"{name!r} is no name of a namespace: use lower-case letters, digits, dashes"
            )
        tenant = Tenant(
            name=name,
            users=tuple(user or ()),
            groups=tuple(group or ()),
            service_accounts=tuple(_checked(each) for each in service_account or ()),
            accounts=accounts,
            cpu=cpu,
            memory=memory,
            storage=storage,
            may_exec=may_exec,
        )
        if not (tenant.users or tenant.groups or tenant.service_accounts):
            raise ConfigurationError("nobody could use it: give --user, --group or --service-account")
        if print_only:
            import yaml

            print(yaml.safe_dump_all(build_tenant(tenant), sort_keys=False), end="")
            return
        from smarttrade.cli.apply import connect
        from smarttrade.cli.tenants.create import create_tenant

        create_tenant(connect(context), tenant, print)


def _checked(service_account: str) -> str:
    if not re.fullmatch(f"{_NAME}:[a-z0-9][-a-z0-9.]*", service_account):
        raise ConfigurationError(f"--service-account {service_account!r} must read NAMESPACE:NAME")
    return service_account

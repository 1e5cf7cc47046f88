"""What can go wrong around the local cluster, said so that the reader knows what to do next."""

from smarttrade.errors import SmartTradeError


class ClusterError(SmartTradeError):
    """A step of making, using or removing a local cluster failed."""


class MissingRequirement(ClusterError):  # noqa: N818 - reads as what it says
    """This machine or user lacks something that the local cluster needs."""

"""SmartTrade: an isolated, replicated trading environment for every account."""

from smarttrade._version import __version__

__all__ = ["__version__"]

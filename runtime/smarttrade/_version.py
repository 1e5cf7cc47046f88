"""The one place that holds the version, so that importing it costs nothing."""

__version__ = "0.1.0"

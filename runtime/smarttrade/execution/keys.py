"""The account's own keys, which lie beside the container's credentials; no other container has them.

The operator derives them from the installation's master key, so a re-created or restored account has the
same.
"""

from __future__ import annotations

from pathlib import Path

FINGERPRINT_KEY = "fingerprint.key"
ORDERS_KEY = "orders.key"


def read_key(credentials: Path, name: str) -> bytes:
    """The key of this name; empty where there is none, or none that can be read."""
    try:
        return bytes.fromhex((credentials.parent / name).read_text().strip())
    except (OSError, ValueError):
        return b""

"""Where the cluster keeps what outlives the checkout: one cache folder for all checkouts of a user."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/smarttrade`, made when absent."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "smarttrade"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

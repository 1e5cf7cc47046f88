"""Which tags of our images were built, so that old ones go and neither cache nor node fills up.

Every change of the code makes new tags. The newest few stay, because pods may still run them.
"""

import json
from pathlib import Path

from cluster.paths import cache_folder, write_at_once

KEPT = 6


def outdated(references: list[str], file: Path | None = None) -> list[str]:
    """Note `references` as the newest and return those, oldest first, that nothing should need any more."""
    file = file or cache_folder() / "images" / "history.json"
    known = json.loads(file.read_text()) if file.exists() else []
    ordered = [reference for reference in known if reference not in references] + references
    repositories = {reference.rpartition(":")[0] for reference in ordered}
    newest = {
        reference
        for repository in repositories
        for reference in [each for each in ordered if each.rpartition(":")[0] == repository][-KEPT:]
    }
    write_at_once(file, json.dumps([reference for reference in ordered if reference in newest]))
    return [reference for reference in ordered if reference not in newest]

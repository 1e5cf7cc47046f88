"""Writes the table of attempts into the documentation."""

import sys
from pathlib import Path

from tests.attacks.matrix import DOCUMENT, document

if __name__ == "__main__":
    path = Path(DOCUMENT)
    path.write_text(document())
    print(f"wrote {path}", file=sys.stderr)

"""`python -m demo up|down`; `DATA=FILE` names a recording for `up`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cluster.errors import ClusterError, MissingRequirement
from demo import story
from demo.progress import WaitExpiredError


def main(arguments: list[str]) -> int:
    """Run one of the two; a failure is one message, and running it again goes on from there."""
    try:
        match arguments:
            case ["up"]:
                story.up(_recording(os.environ.get("DATA", "")))
            case ["down"]:
                story.down()
            case _:
                print("usage: python -m demo up|down", file=sys.stderr)
                return 2
    except MissingRequirement as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except (ClusterError, WaitExpiredError) as error:
        print(f"demo: {error}\nRun it again to go on from here.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def _recording(path: str) -> Path | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise ClusterError(
            f"DATA={path}: there is no such file; give a CSV or Parquet file of candles or trades"
        )
    return Path(path).resolve()


sys.exit(main(sys.argv[1:]))

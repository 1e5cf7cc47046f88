"""`python -m smarttrade.execution`"""

from __future__ import annotations

import smarttrade.process.lean  # noqa: F401 - before anything else

# isort: split
from smarttrade.execution.service import ExecutionService
from smarttrade.process import run


def main() -> None:
    run.main("execution", ExecutionService)


if __name__ == "__main__":
    main()

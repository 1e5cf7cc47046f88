"""`python -m smarttrade.execution`"""

from __future__ import annotations

from smarttrade.execution.service import ExecutionService
from smarttrade.process import run


def main() -> None:
    run.main("execution", ExecutionService)


if __name__ == "__main__":
    main()

"""`python -m smarttrade.monitoring`: the container that observes."""

import smarttrade.process.lean  # noqa: F401 - before anything else

# isort: split
from smarttrade.monitoring.service import MonitoringService
from smarttrade.process import run

if __name__ == "__main__":
    run.main("monitoring", MonitoringService)

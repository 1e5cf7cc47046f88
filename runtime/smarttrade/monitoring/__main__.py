"""`python -m smarttrade.monitoring`: the container that observes."""

from smarttrade.monitoring.service import MonitoringService
from smarttrade.process import run

if __name__ == "__main__":
    run.main("monitoring", MonitoringService)

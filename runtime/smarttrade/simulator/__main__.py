"""`python -m smarttrade.simulator`."""

from smarttrade.process.authorities import authorities_later

with authorities_later():
    from smarttrade.simulator.command import app

if __name__ == "__main__":
    app(prog_name="python -m smarttrade.simulator")

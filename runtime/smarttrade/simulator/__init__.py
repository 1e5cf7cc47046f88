"""A simulated exchange that unmodified Binance Spot clients trade on: see `simulator.Simulator`."""

"""Other people's clients of the exchange, which trade on the simulated one."""

"""Other people's clients against the simulated exchange, with nothing changed but their addresses."""

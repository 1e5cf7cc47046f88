"""Evaluation: runs the strategy. It has no exchange key and no way out but the bus."""

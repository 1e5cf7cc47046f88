"""Monitoring: sees everything the exchange shows, hides no gap, and says how far it can be trusted."""

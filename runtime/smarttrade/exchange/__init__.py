"""Exchanges through ccxt: loading one class without the other hundred, addresses, abilities, errors."""

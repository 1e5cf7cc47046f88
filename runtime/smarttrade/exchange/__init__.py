"""Exchanges through ccxt: loading one class without the other hundred, addresses, what each one can do, errors."""

"""Exchanges through ccxt: loading one class without the other hundred, addresses, what each can do, errors."""

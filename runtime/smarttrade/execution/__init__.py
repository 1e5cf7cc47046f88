"""Acts: turns decisions into orders, exactly once each, and keeps the account's ledger.

Reading order: `service` hands inputs to `core`, `core` returns effects, `service` performs them.
`records` is what survives a crash, `book` is the state folded from it, `working` decides the next step of
a market, `resolution` finds out about orders whose fate is unknown.
"""

"""NetworkPolicy for one node whose pods have a veth each, so that all their traffic is routed here.

`objects` reads API objects, `selectors` matches labels, `translate` turns policies into rules, `ruleset`
writes them as nftables text; all pure. `watch` follows the API server, `agent` applies.
"""

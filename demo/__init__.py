"""The demonstration: the platform on a local cluster, two accounts that trade, one fail-over.

`python -m demo up` brings all of it up, as often as wanted and from wherever an earlier run was stopped;
`python -m demo down` removes the accounts and the platform and keeps the cluster.
"""

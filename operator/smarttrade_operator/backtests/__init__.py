"""Backtests: from one object to an Indexed Job, a job that collects, and a verdict in the status.

Reading order: `watching` puts keys into the queue, `reconcile` brings one object forward a step at a time,
`build` says what its children are and `progress` what the jobs have come to; both are pure.
"""

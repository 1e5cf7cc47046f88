"""An account on recorded data: the evaluation and execution cores on one virtual clock.

Reading order: `command` reads manifest and data (`history`), `run` drives the cores against the `exchange`,
`result` and `metrics` say what came out, `table` shows it.
"""

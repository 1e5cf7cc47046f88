"""`smarttrade run`: one account without Kubernetes, by the same processes with the same manifest.

`session` tells the story: nats-server, accounts, control, the simulated exchange, then three processes a
replica. `plan` says what each is started with, `children` keeps them running, `picture` is what is
known of them, and `screen` shows it.
"""

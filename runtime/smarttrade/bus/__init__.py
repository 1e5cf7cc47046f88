"""NATS: subjects, connection, decentralised JWT accounts, provisioning, the account's log, lease and control.

Reading order: `subjects` and `connection` are what every process uses; `keys` -> `jwt` -> `accounts` are pure
and say who may do what; `provision` pushes that to the servers; `log`, `lease` and `control` are what one
account keeps there; `server` is the configuration of a nats-server and one as a child process.
"""

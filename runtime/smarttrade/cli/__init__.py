"""The `smarttrade` command, also found by kubectl as its plugin `kubectl smarttrade`.

`main` only declares the commands; each imports what it needs when it is called, so that `--help` is quick.
"""

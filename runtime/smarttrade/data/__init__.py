"""Candles of exchanges, kept on disk: downloaded once, read by every backtest.

Reading order: `command` is what the user calls; `download` asks the exchange for what `coverage` says is
missing and gives it to the `store`, which is a folder of Parquet files; `check` reads them with distrust.
"""

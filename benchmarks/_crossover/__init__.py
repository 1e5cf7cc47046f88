"""One two-EMA crossover, traded by SmartTrade and by its peers: `benchmarks.backtest` runs them side by side.

`ours`, `nautilus` and the like are scripts, one a package. Each gets a CSV file of one-minute candles, runs
in that package's own virtual environment, and prints one JSON document on its last line: bars, CPU seconds of
the run alone, peak memory of the process, its trades as [entry ms, entry price, exit ms, exit price].

The rule: long for a tenth of a bitcoin while the exponential mean over 10 candles is above the one over 20,
else flat; a market order after the candle on which they cross; a tenth of a percent fee a side; nothing for
spread and slippage. Whoever starts at once is told in `docs/backtest.md`.
"""

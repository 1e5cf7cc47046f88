"""Strategies written for freqtrade, run as they are.

A file that imports `freqtrade` gets the names of this package in its place (`imports`), its class is asked
for signals on a frame of candles (`signals`), and what it says of profit targets and stops is judged as
freqtrade documents it (`rules`). Two ways run it: `adapter` as one of our strategies, in a pod, on paper
and in any backtest; `replay` over recorded candles under freqtrade's own assumptions, for comparison with
its backtests.

Every line is written from freqtrade's documentation and from what its backtests do, none is taken from it.
What bites: pandas and TA-Lib are needed, the extra `freqtrade`; nothing outside this package may import it
before a strategy needs it. Frames hold floats, as freqtrade's do; prices become decimals on the exchange's
tick, quantities are settled as for every other strategy.
"""

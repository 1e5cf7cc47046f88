"""One strategy of five incremental indicators, fed by SmartTrade's evaluation and by NautilusTrader's engine:
`benchmarks.evaluation` runs them side by side.

The rule: EMA 20, RSI 14, ATR 14, Bollinger 20 and Donchian 20 of every candle, and a count of the candles on
which close is above the mean, the index above 50 and the close inside both bands; nothing is traded, so what
is measured is the way of an event through the engine to the strategy. The count must be the same in both.
"""

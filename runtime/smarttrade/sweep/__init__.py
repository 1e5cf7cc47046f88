"""Many backtests of one account with other parameters, judged on data that did not choose them.

Reading order: `command` is what the user calls; `ranges` says which parameters there are to try, `splits`
cuts the time into folds; `search` proposes candidates, `pool` runs them side by side (`unit` is one run),
`results` keeps what came out; `judge` compares in-sample with out-of-sample, `table` and `page` show it.
"""

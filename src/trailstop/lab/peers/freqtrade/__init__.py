"""freqtrade's backtest: its signals, orders and candle rule around the product's own stop.

`run.run_strategy` deals with a strategy's signals; `feed.FreqtradeFeed` brings the candle rule to
the exact backtest for any policy; `importing`, `reading` and `writing` turn a configuration into
a policy, and load nothing of the lab for that.
"""

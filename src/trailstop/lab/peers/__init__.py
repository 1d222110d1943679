"""Backtests by the candle rules of other systems, with the stop of the product's own rule."""

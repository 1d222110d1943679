"""The Binance USDⓈ-M dialect of the paper exchange: its spelling, limits and streams."""

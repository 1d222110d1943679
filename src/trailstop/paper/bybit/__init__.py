"""The Bybit V5 dialect of the paper exchange, category linear."""

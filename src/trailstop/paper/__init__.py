"""The paper exchange: a local exchange with true state of its own that speaks real protocols."""

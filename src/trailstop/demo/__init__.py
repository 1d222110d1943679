"""The demo: a paper exchange and a guard as two processes, and what came of it."""

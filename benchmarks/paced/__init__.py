"""How long a better exact stop waits until the exchange has it: two ways of pacing compared."""

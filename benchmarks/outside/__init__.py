"""Positions that programs of others open on the paper exchange, beside a running guard."""

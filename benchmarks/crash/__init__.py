"""Kills of the guard's process: the exchange lives on, a twin that is never killed compares."""

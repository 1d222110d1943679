"""Recorded prices as files: which format a file has, its name, its text. Paper and lab share it."""

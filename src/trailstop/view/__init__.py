"""What people see on a terminal: numbers in words, the table of positions, the summary."""

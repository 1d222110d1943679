"""One file for each group of commands. Heavy parts load when a command runs, not before."""

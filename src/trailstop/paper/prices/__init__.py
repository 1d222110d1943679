"""Where the paper exchange's prices come from: recorded files or a seeded generator."""

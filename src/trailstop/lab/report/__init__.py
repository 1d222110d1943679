"""What a backtest or a sweep came to: figures, files and pages."""

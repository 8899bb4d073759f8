"""Parses what backtest and import have in common: files, or a Prometheus and how to log in."""

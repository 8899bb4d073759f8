"""Starts a throw-away PostgreSQL and a load to look at."""

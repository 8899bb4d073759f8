"""Turns flags, environment and file into Settings, and reports all mistakes at once."""

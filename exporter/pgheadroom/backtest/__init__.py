"""Runs the daemon's step over the past and reports what would have fired."""

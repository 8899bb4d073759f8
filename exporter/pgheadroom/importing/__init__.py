"""Fills the history of targets from what a Prometheus or a recording knows of the time before."""

"""Renders a State as Prometheus text: the table of metrics, and the daemon's own."""

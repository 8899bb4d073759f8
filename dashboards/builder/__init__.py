"""Builds the Grafana dashboards."""

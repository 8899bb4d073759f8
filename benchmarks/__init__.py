"""Measures what pgheadroom costs and how fast it answers, beside another exporter."""

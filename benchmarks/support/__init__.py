"""Holds what the benchmarks share: servers under load, the processes measured, the figures."""

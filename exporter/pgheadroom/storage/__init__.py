"""Keeps on disk, whole or not at all: a snapshot of each target over a restart, and recordings."""

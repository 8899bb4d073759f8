"""Looks closer at use that approaches the limit: where it began to climb, and in which manner."""

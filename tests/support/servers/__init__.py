"""Starts the real servers of the tests, asks them, and takes them away again."""

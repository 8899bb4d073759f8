"""Holds one module for each subcommand."""

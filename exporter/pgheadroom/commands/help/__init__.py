"""Parses the flags of one command, and makes what --help prints."""

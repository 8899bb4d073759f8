"""Plays real clients against a real server and measures how early the daemon pages."""

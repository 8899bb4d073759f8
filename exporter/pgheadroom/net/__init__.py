"""Talks to who may be slow, gone or hostile: deadlines, back-off, one attempt at a time."""

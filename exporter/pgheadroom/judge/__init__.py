"""Decides what fires now, how severe it is and what to do first: State in, alerts out. Pure."""

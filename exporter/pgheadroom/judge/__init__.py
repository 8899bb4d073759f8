"""Decides what fires now, how severe it is and who is to blame: State in, alerts out. Pure."""

"""Draws one target on a terminal, for `top`."""

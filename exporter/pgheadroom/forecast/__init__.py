"""Keeps how usage went, in bounded memory, and forecasts when the last slot goes. Pure."""

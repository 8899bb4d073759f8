"""Tells the stories: `open_*` may be tuned with, `kept_*` are for judging only."""

"""Says how likely a climb is to go through to the limit, and by which signs."""

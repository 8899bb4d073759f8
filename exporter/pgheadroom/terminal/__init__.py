"""Shows a target on a terminal: State, time and size in, lines out."""

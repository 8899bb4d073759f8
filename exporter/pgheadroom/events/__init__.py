"""Says what happened between two states of a target: one function for log, page and API. Pure."""

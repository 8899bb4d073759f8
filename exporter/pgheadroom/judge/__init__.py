"""What fires now, how bad it is and what to do first: State in, alerts out. Pure."""

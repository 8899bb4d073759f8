"""Says how a target stands, in one word and one sentence: every output takes it from here."""

"""Asks a PostgreSQL server over one kept connection; expected trouble is a value."""
